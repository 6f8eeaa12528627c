"""The schema's history: tables as Tortoise's generator writes them, then the rules that the database itself holds.

It must not change once released: a migration that has run somewhere is only ever followed by another.
"""
