"""What the database itself refuses of notices and chargebacks, and by what an owner's notices are found.

It must not repeat the domain's rules: these are the last line behind them.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import AddChecks, BuildIndexes, RunFor

_LEFT = "CHECK (charged_back_minor >= 0 AND refunded_minor + charged_back_minor <= paid_minor)"

_SQLITE = tuple(
    f"CREATE TRIGGER notice_never_{verb.lower()}d BEFORE {verb} ON notice"
    " BEGIN SELECT RAISE(ABORT, 'notice_append_only'); END"
    for verb in ("UPDATE", "DELETE")
)
# A function of its own: that of the history lets erasing a person change texts, and a notice has none.
_POSTGRES = (
    """
    CREATE FUNCTION notice_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'notice is append-only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'notice_append_only';
    END $$
    """,
    "CREATE TRIGGER notice_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON notice"
    " FOR EACH STATEMENT EXECUTE FUNCTION notice_append_only()",
)


class Migration(BaseMigration):
    """Add them."""

    dependencies = [("refundgql", "0025_policies")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        RunFor(sqlite=_SQLITE, postgres=_POSTGRES),
        AddChecks({"payment": {"payment_without_charged_back": _LEFT}}),
        BuildIndexes(
            sqlite=("CREATE INDEX notice_account ON notice (account_id, position)",),
            postgres=("CREATE INDEX notice_account ON notice (account_id, commit_order, position)",),
        ),
    ]
