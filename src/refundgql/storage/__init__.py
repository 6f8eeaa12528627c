"""The only package that knows the database: tables, migrations, statements, visibility, event log.

It must not decide anything about refunds: it loads facts for the rules and saves their decisions whole.
"""
