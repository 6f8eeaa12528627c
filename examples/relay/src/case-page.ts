import { graphql } from 'relay-runtime';

/** What a row of any list of cases shows. */
export const row = graphql`
  fragment casePage_row on RefundCase {
    number
    state
    version
    overdue
    requestedAmount { amount currencyCode }
  }
`;

/** A case's history, page by page: more of it is asked for through the case's own id. */
export const history = graphql`
  fragment casePage_history on RefundCase
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "casePageHistoryQuery") {
    events(first: $count, after: $cursor) @connection(key: "casePage_events") {
      edges { node { sequence name at note } }
    }
  }
`;

/** Everybody's open cases, page by page, from the root. */
export const cases = graphql`
  fragment casePage_cases on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }, states: { type: "[RefundCaseState!]" })
  @refetchable(queryName: "casePageCasesQuery") {
    refundCases(filter: { states: $states }, first: $count, after: $cursor) @connection(key: "casePage_refundCases") {
      asOf
      edges { node { ...casePage_row } }
    }
  }
`;

/** Refusals are data: every kind has these fields, and some say more. */
export const refusal = graphql`
  fragment casePage_refusal on Refusal {
    __typename
    code
    message
    rule
    alternatives
    ... on ConflictRefusal { currentState currentVersion }
    ... on AmountRefusal { maximum { amount currencyCode } }
    ... on WindowRefusal { availableFrom availableUntil }
  }
`;

export const page = graphql`
  query casePageQuery($id: ID!) {
    refundCase(id: $id) {
      ...casePage_row
      ...casePage_history
      subject { __typename ... on Lead { title } ... on Invoice { number } ... on Node { id } }
      actions { name enabled blockers { ...casePage_refusal } }
    }
    ...casePage_cases
  }
`;

/** The changed case comes back and its record in the store with it; the new event is added to the open page. */
export const approve = graphql`
  mutation casePageApproveMutation($input: ApproveRefundInput!, $connections: [ID!]!) {
    approveRefund(input: $input) {
      replayed
      refundCase { ...casePage_row }
      event @appendNode(connections: $connections, edgeTypeName: "RefundEventEdge") { sequence name at note }
      refusals { ...casePage_refusal }
    }
  }
`;

export const follow = graphql`
  subscription casePageSubscription($id: ID!, $after: String) {
    refundCaseUpdates(refundCaseId: $id, after: $after) {
      cursor
      event { sequence name at note }
      refundCase { ...casePage_row }
    }
  }
`;
