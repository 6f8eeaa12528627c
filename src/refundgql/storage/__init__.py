"""The only package that knows the database: tables, migrations, statements, visibility, event log."""
