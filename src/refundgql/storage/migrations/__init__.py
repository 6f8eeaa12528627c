"""The schema's history: tables as Tortoise's generator writes them, then the rules that the database itself holds.

It must not change once landed: a migration that has run somewhere is only ever followed by another. How one must be
written is in docs/adr/0012-expand-and-contract.md.
"""

SERVED_WITHOUT = frozenset({"0009_same_indexes", "0026_notices_kept"})
"""Migrations that this release serves without: its code says what it does where they have not run yet."""
