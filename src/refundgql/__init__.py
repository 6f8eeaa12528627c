"""refundgql: the refund desk of a marketplace as a GraphQL backend.

The layers, outside in; each may import only what stands below it:
cli        parses a command line, boots, calls one command or query, prints
bootstrap  turns settings into a wired application
web        what of HTTP belongs to the desk: viewers from tokens, evidence files, GraphiQL, health (workers beside)
api        the desk in GraphQL: types, acts (mutations), roots (queries, subscriptions)
gql        a GraphQL server: HTTP, WebSocket, server-sent events, the executor; beside the layers, used by web and api
commands   one function is one use case is one transaction (queries: reads for a viewer)
storage    the only package that knows the database (messaging: the doorbell after commit)
domain     pure rules: machines, policy, eligibility, ledger, money, calendar
"""

__version__ = "0.1.0"
