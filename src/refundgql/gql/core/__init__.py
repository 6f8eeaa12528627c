"""The road of graphql-core: first uses, introspection, and whatever is not compiled."""
