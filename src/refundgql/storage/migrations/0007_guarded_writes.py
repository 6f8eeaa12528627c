"""What lets a decision be written without a transaction that is kept open: PostgreSQL compares the facts itself.

It must not decide anything. SQLite needs none of it: one transaction writes at a time there.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

# The marks are those that storage/facts.py reads with the facts; see there. Locks are taken in everybody's order, and
# nothing waits: whoever finds a row locked decides again, in a transaction that waits for its turn.
_UNCHANGED = """
CREATE FUNCTION refund_facts_unchanged(of_payment uuid, marks text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM contract WHERE id = (SELECT contract_id FROM payment WHERE id = of_payment)
    FOR NO KEY UPDATE NOWAIT;
  PERFORM 1 FROM payment WHERE id = of_payment FOR NO KEY UPDATE NOWAIT;
  PERFORM 1 FROM refund_case WHERE payment_id = of_payment ORDER BY id FOR NO KEY UPDATE NOWAIT;
  IF marks IS DISTINCT FROM (
    SELECT ROW(p.xmin, l.xmin, k.xmin, i.xmin, w.xmin, m.xmin, h.xmin,
      (SELECT string_agg(CAST(t.xmin AS text), ' ' ORDER BY t.id) FROM payment t WHERE t.contract_id = k.id),
      (SELECT string_agg(CAST(c.xmin AS text), ' ' ORDER BY c.number) FROM refund_case c WHERE c.payment_id = p.id),
      EXISTS (SELECT 1 FROM review v WHERE v.contract_id = k.id))::text
    FROM payment p
    LEFT JOIN lead l ON l.payment_id = p.id
    LEFT JOIN contract k ON k.id = p.contract_id
    LEFT JOIN invoice i ON i.payment_id = p.id
    LEFT JOIN billing_week w ON w.payment_id = p.id
    LEFT JOIN milestone m ON m.payment_id = p.id
    LEFT JOIN ledger_account h ON h.key = 'held:' || CAST(p.id AS TEXT) || ':' || p.currency
    WHERE p.id = of_payment
  ) THEN
    RAISE EXCEPTION 'the facts about payment % changed while a decision was made', of_payment
      USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN TRUE;
END $$
"""


class Migration(BaseMigration):
    """Add the comparison."""

    dependencies = [("refundgql", "0006_webhooks")]  # noqa: RUF012  # Tortoise's own form

    operations = [RunFor(postgres=(_UNCHANGED,))]  # noqa: RUF012
