"""The GraphQL API: one file per concept with its types, resolvers and mutations; `schema` puts them together.

It must not open connections, decide rules or hold SQL: it maps between clients, commands and queries.
"""
