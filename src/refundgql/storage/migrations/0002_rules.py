"""What the database itself refuses: amounts that cannot be, a second open case, a changed history, a gap in it.

It must not repeat the domain's rules: these are the last line behind them.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import AddTableConstraints, RunFor


def _one_of(column: str, *values: str) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"CHECK ({column} IN ({listed}))"


def _references(column: str, table: str) -> str:
    return f"FOREIGN KEY ({column}) REFERENCES {table} (id)"


_STATES = ("REQUESTED", "APPROVED", "DECLINED", "ESCALATED", "DISPUTED", "CREDITED", "CANCELLED")

_CONSTRAINTS = {
    "payment": {
        "payment_kind": _one_of("kind", "LEAD", "WEEK", "MILESTONE", "INVOICE"),
        "payment_within_paid": (
            "CHECK (refunded_minor >= 0 AND reserved_minor >= 0 AND refunded_minor + reserved_minor <= paid_minor)"
        ),
        "payment_contract": _references("contract_id", "contract"),
    },
    "lead": {
        "lead_price": "CHECK (price_minor > 0)",
        "lead_payment": _references("payment_id", "payment"),
        "lead_pro_account": _references("pro_id", "account"),
        "lead_customer_account": _references("customer_id", "account"),
    },
    "message": {
        "message_of_lead": _references("lead_id", "lead"),
        "message_author": _references("author_id", "account"),
    },
    "contract": {
        "contract_kind": _one_of("kind", "HOURLY", "FIXED_PRICE"),
        "contract_status": _one_of("status", "OPEN", "CLOSED"),
        "contract_client_account": _references("client_id", "account"),
        "contract_expert_account": _references("expert_id", "account"),
    },
    "billing_week": {
        "week_length": "CHECK (ends_at - starts_at = 604800000000)",
        "week_amount": "CHECK (rate_minor >= 0 AND amount_minor >= 0)",
        "week_of_contract": _references("contract_id", "contract"),
        "week_payment": _references("payment_id", "payment"),
    },
    "milestone": {
        "milestone_status": _one_of("status", "UNFUNDED", "FUNDED", "RELEASED", "RETURNED"),
        "milestone_amount": "CHECK (amount_minor > 0)",
        "milestone_of_contract": _references("contract_id", "contract"),
        "milestone_payment": _references("payment_id", "payment"),
    },
    "invoice": {
        "invoice_status": _one_of("status", "ISSUED", "PAID"),
        "invoice_amount": "CHECK (amount_minor > 0)",
        "invoice_paid": "CHECK ((status = 'PAID') = (paid_at IS NOT NULL))",
        "invoice_of_contract": _references("contract_id", "contract"),
        "invoice_payment": _references("payment_id", "payment"),
        "invoice_week": _references("billing_week_id", "billing_week"),
        "invoice_milestone": _references("milestone_id", "milestone"),
    },
    "review": {
        "review_rating": "CHECK (rating BETWEEN 1 AND 5)",
        "review_of_contract": _references("contract_id", "contract"),
        "review_author": _references("author_id", "account"),
    },
    "refund_case": {
        "case_kind": _one_of("kind", "LEAD", "INVOICE", "ESCROW", "TIMESHEET"),
        "case_state_known": _one_of("state", *_STATES),
        "case_route": _one_of("route", "DIRECT", "SUPPORT"),
        "case_settlement": _one_of("settlement", "NOT_DUE", "AWAITING_FUNDS", "SETTLED", "REVERSED"),
        "case_move": _one_of("whose_move", "REQUESTER", "COUNTERPARTY", "SUPPORT", "SYSTEM", "NOBODY"),
        "case_amounts": (
            "CHECK ((requested_minor IS NULL OR requested_minor > 0)"
            " AND (consented_minor IS NULL OR consented_minor > 0)"
            " AND (approved_minor IS NULL OR approved_minor > 0)"
            " AND (approved_minor IS NULL OR requested_minor IS NULL OR approved_minor <= requested_minor)"
            " AND (credited_minor IS NULL OR credited_minor = approved_minor))"
        ),
        "case_version": "CHECK (version >= 0)",
        "case_of_payment": _references("payment_id", "payment"),
        "case_requester_account": _references("requester_id", "account"),
    },
    "refund_event": {
        "event_states": (
            f"{_one_of('to_state', *_STATES)[:-1]} AND (from_state IS NULL OR {_one_of('from_state', *_STATES)[7:-1]}))"
        ),
        "event_sequence": "CHECK (sequence > 0)",
        "event_of_case": _references("case_id", "refund_case"),
    },
    "evidence": {"evidence_of_case": _references("case_id", "refund_case")},
    "case_message": {
        "case_message_audience": _one_of(
            "audience", "EVERYONE", "REQUESTER_AND_SUPPORT", "COUNTERPARTY_AND_SUPPORT", "INTERNAL"
        ),
        "case_message_of_case": _references("case_id", "refund_case"),
    },
    "customer_report": {"customer_report_of_case": _references("case_id", "refund_case")},
    "ledger_account": {"ledger_balance_not_negative": "CHECK (balance_minor >= 0 OR may_be_negative)"},
    "posting": {
        "posting_amount": "CHECK (amount_minor > 0)",
        "posting_between_two": "CHECK (from_key <> to_key)",
        "posting_one_currency": "CHECK (from_key LIKE '%:' || currency AND to_key LIKE '%:' || currency)",
    },
    "withdrawal": {
        "withdrawal_status_known": _one_of("status", "REQUESTED", "SENT", "PAID", "FAILED"),
        "withdrawal_amount": "CHECK (amount_minor > 0)",
        "withdrawal_of_account": _references("account_id", "account"),
    },
}

_PARTIAL_INDEXES = (
    "CREATE UNIQUE INDEX one_open_case_per_payment ON refund_case (payment_id)"
    " WHERE state IN ('REQUESTED', 'APPROVED', 'ESCALATED', 'DISPUTED')",
    "CREATE UNIQUE INDEX one_live_case_per_lead ON refund_case (lead_id) WHERE kind = 'LEAD' AND state <> 'CANCELLED'",
    "CREATE UNIQUE INDEX one_credit_per_case ON posting (case_id, from_key) WHERE fact = 'CREDIT'",
    "CREATE INDEX case_awaiting_funds ON refund_case (approved_at) WHERE settlement = 'AWAITING_FUNDS'",
)

# The desk's own order (queries/case_orders.py): a page of the queue is read off the index, however long the queue is.
_QUEUE_ORDER = (
    "CREATE INDEX case_queue_order ON refund_case (whose_move, (CASE WHEN overdue THEN 0 ELSE 1 END),"
    " (COALESCE(deadline_at, 4611686018427387904)), opened_at, id)",
)

_SQLITE_TRIGGERS = (
    *(
        f"CREATE TRIGGER {table}_never_{verb.lower()}d BEFORE {verb} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table}_append_only'); END"
        for table in ("refund_event", "posting")
        for verb in ("UPDATE", "DELETE")
    ),
    "CREATE TRIGGER refund_event_in_order BEFORE INSERT ON refund_event"
    " WHEN NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM refund_event WHERE case_id = NEW.case_id), 0)"
    " BEGIN SELECT RAISE(ABORT, 'event_sequence_without_gap'); END",
)

_POSTGRES_TRIGGERS = (
    """
    CREATE FUNCTION refund_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refund_append_only()"
        for table in ("refund_event", "posting")
    ),
    # commit_order: see storage/events.py. The row's own order is never below the case's last one, so that a case's
    # events stay in sequence however early a waiting transaction was given its id.
    """
    CREATE FUNCTION refund_event_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      last_sequence integer;
      last_order bigint;
    BEGIN
      SELECT sequence, commit_order INTO last_sequence, last_order
        FROM refund_event WHERE case_id = NEW.case_id ORDER BY sequence DESC LIMIT 1;
      IF NEW.sequence <> coalesce(last_sequence, 0) + 1 THEN
        RAISE EXCEPTION 'event % of case % does not follow %', NEW.sequence, NEW.case_id, coalesce(last_sequence, 0)
          USING ERRCODE = 'check_violation', CONSTRAINT = 'event_sequence_without_gap';
      END IF;
      NEW.commit_order := greatest(
        (pg_current_xact_id()::text)::bigint + (SELECT added FROM stream_epoch), coalesce(last_order, 0));
      RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER refund_event_in_order BEFORE INSERT ON refund_event"
    " FOR EACH ROW EXECUTE FUNCTION refund_event_in_order()",
)


class Migration(BaseMigration):
    """Add the rules to the tables."""

    dependencies = [("refundgql", "0001_initial")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        AddTableConstraints(_CONSTRAINTS),
        RunFor(sqlite=_PARTIAL_INDEXES, postgres=_PARTIAL_INDEXES),
        RunFor(sqlite=_QUEUE_ORDER, postgres=_QUEUE_ORDER),
        RunFor(sqlite=_SQLITE_TRIGGERS, postgres=_POSTGRES_TRIGGERS),
        RunFor(
            sqlite=("INSERT INTO stream_epoch (id, added) VALUES (1, 0)",),
            postgres=("INSERT INTO stream_epoch (id, added) VALUES (1, 0)",),
        ),
    ]
