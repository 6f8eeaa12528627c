import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: '../../fixtures/operations/*.graphql',
  generates: {
    // Each operation becomes a document that knows the types of its variables and of its answer.
    'src/generated/': {
      preset: 'client',
      presetConfig: {
        fragmentMasking: false,
        // persisted-documents.json is what a server that takes trusted documents only is given.
        persistedDocuments: { hashAlgorithm: 'sha256' },
      },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        // Instants and amounts stay the strings they are: a Decimal in a JavaScript number loses cents.
        strictScalars: true,
        scalars: { DateTime: 'string', Date: 'string', Decimal: 'string', CurrencyCode: 'string' },
      },
    },
    // Which types an interface or union stands for: the cache needs it for fragments on Refusal or Node.
    'src/generated/possible-types.ts': { plugins: ['fragment-matcher'], config: { useExplicitTyping: true } },
  },
};

export default config;
