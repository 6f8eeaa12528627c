"""What people and timers can do: one function, one use case, one transaction.

It must not know GraphQL or SQL: typed input comes in, the domain decides, storage saves, the bus is rung after commit.
"""
