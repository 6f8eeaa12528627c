import graphql from '@graphql-eslint/eslint-plugin';

const rulesOf = (name) => graphql.configs[`flat/${name}`].rules;

// Values, parts of the thing that shows them, and figures: a cache keeps them with whatever they were read from.
const VALUES = [
  'ActionAvailability',
  'Balance',
  'Clock',
  'DeciderMetrics',
  'Fact',
  'KindMetrics',
  'Money',
  'PageInfo',
  'PolicyRule',
  'ReasonInfo',
  'RefundPolicy',
  'RefundProposal',
  'RefundWorkflow',
  'Settlement',
  'SimulatedCase',
  'SupportMetrics',
  'UploadLimits',
  'WorkflowState',
  'WorkflowTransition',
  'Wording',
  'WordingParameter',
];
// Answers, and not things of their own.
const ANSWERS = ['Payload', 'Connection', 'Edge', 'Update', 'Result', 'Refusal', 'Preview', 'Simulation', 'Outcome', 'Attempt', 'Count', 'Summary'];

// A simulation's answer holds figures about all the cases it looked at and the page of those that differ; it is no list
// of simulations, so it is not named like one. The rule takes no options, so its one report is left out here.
const simulation = {
  meta: { name: 'simulation' },
  preprocess: (text) => ((lines = text.split('\n')), [text]),
  postprocess: ([messages]) =>
    messages.filter(
      ({ ruleId, line }) =>
        ruleId !== '@graphql-eslint/relay-connection-types' || !lines[line - 1].startsWith('type RefundPolicySimulation '),
    ),
};
let lines = [];

// Started from the repository's root by `npm run lint`. Every recommended rule is on; where one is told more than its
// name, the reason stands above it.
export default [
  {
    files: ['**/*.graphql'],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: 'schema.graphql', documents: 'fixtures/operations/*.graphql' } },
    },
    plugins: { '@graphql-eslint': graphql },
  },
  {
    files: ['schema.graphql'],
    processor: simulation,
    rules: {
      ...rulesOf('schema-recommended'),
      ...rulesOf('schema-relay'),
      '@graphql-eslint/strict-id-in-types': ['error', { exceptions: { suffixes: ANSWERS, types: VALUES } }],
      // Edges end in Edge and hold a Node. But what is short by nature (the refusals of an act, the clocks of a case) is a
      // plain list: a connection around three things would only be harder to read.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
  {
    files: ['fixtures/operations/*.graphql'],
    rules: {
      ...rulesOf('operations-recommended'),
      // As deep as the server allows by default; the rule's own 7 is less than a list in a list needs.
      '@graphql-eslint/selection-set-depth': ['error', { maxDepth: 12 }],
    },
  },
];
