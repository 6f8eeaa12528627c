"""The GraphQL API: one file per concept with its types, resolvers and mutations; `schema` puts them together."""
