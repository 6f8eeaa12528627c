"""What the database refuses from now on: what refers to nothing, a credit without its state, evidence that changes.

It must not refuse what a release that is still in use writes: both write so already.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import AddConstraints, RunFor

_REFERENCES = {
    "refund_case": {
        "lead_id": "lead",
        "contract_id": "contract",
        "invoice_id": "invoice",
        "milestone_id": "milestone",
        "billing_week_id": "billing_week",
        "counterparty_id": "account",
        "filed_by_id": "account",
        "decided_by_id": "account",
        "assignee_id": "account",
        "withdrawal_id": "withdrawal",
        "continues_id": "refund_case",
    },
    "refund_event": {"actor_id": "account"},
    "evidence": {"added_by_id": "account", "redacted_by_id": "account"},
    "case_message": {"author_id": "account"},
    "customer_report": {"customer_id": "account"},
    "clock": {"case_id": "refund_case", "billing_week_id": "billing_week"},
    "review": {"subject_id": "account"},
    "posting": {
        "case_id": "refund_case",
        "payment_id": "payment",
        "withdrawal_id": "withdrawal",
        "reverses_id": "posting",
    },
    "ledger_account": {"owner_id": "account"},
    "withdrawal": {"refund_case_id": "refund_case"},
    "past_refund": {"payment_id": "payment"},
    "chargeback": {"payment_id": "payment"},
    "told_change": {"payment_id": "payment"},
    "evidence_upload": {"case_id": "refund_case", "account_id": "account"},
    "case_read": {"case_id": "refund_case", "account_id": "account"},
}
_CONSTRAINTS = {
    table: {
        f"{table}_{column.removesuffix('_id')}_there": f"FOREIGN KEY ({column}) REFERENCES {other} (id)"
        for column, other in columns.items()
    }
    for table, columns in _REFERENCES.items()
}
_CONSTRAINTS["refund_case"] |= {
    "case_credited": (
        "CHECK ((state = 'CREDITED') = (credited_minor IS NOT NULL)"
        " AND (state = 'CREDITED') = (credited_at IS NOT NULL) AND (reversed_at IS NULL OR state = 'CREDITED'))"
    ),
    "case_approved": "CHECK (state NOT IN ('APPROVED', 'CREDITED') OR approved_minor IS NOT NULL)",
}

_KEPT = (
    *("id", "case_id", "kind", "added_at", "added_by_id", "sha256", "content_type", "size_bytes", "audience"),
    *("side", "sequence"),
)
_GOES = ("file_name", "storage_key")
_ONCE = ("withdrawn_at", "redacted_at", "redacted_by_id", "redaction_reason")


def _may_become(same: str) -> str:
    """Return what an update of evidence may do, by how a database tells two values the same, nothing included."""
    return " AND ".join(
        [
            *(f"NEW.{one} {same} OLD.{one}" for one in _KEPT),
            *(f"(NEW.{one} IS NULL OR NEW.{one} {same} OLD.{one})" for one in _GOES),
            *(f"(OLD.{one} IS NULL OR NEW.{one} {same} OLD.{one})" for one in _ONCE),
            f"(NEW.content IS NULL OR NEW.content {same} OLD.content OR EXISTS (SELECT 1 FROM erasing))",
        ]
    )


_SQLITE_TRIGGERS = (
    f"CREATE TRIGGER evidence_never_updated BEFORE UPDATE ON evidence WHEN NOT ({_may_become('IS')})"
    " BEGIN SELECT RAISE(ABORT, 'evidence_append_only'); END",
    "CREATE TRIGGER evidence_never_deleted BEFORE DELETE ON evidence"
    " BEGIN SELECT RAISE(ABORT, 'evidence_append_only'); END",
)
_POSTGRES_TRIGGERS = (
    f"""
    CREATE FUNCTION evidence_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT ({_may_become("IS NOT DISTINCT FROM")}) THEN
        RAISE EXCEPTION 'evidence is append-only'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'evidence_append_only';
      END IF;
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER evidence_keeps BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION evidence_keeps()",
    "CREATE TRIGGER evidence_append_only BEFORE DELETE OR TRUNCATE ON evidence"
    " FOR EACH STATEMENT EXECUTE FUNCTION refund_append_only()",
)


class Migration(BaseMigration):
    """Add the constraints and the triggers."""

    dependencies = [("refundgql", "0028_told_changes")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        RunFor(sqlite=_SQLITE_TRIGGERS, postgres=_POSTGRES_TRIGGERS),
        AddConstraints(_CONSTRAINTS),
    ]
