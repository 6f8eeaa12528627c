"""Who proposed how a lead's first look was decided, which a proposal of the second look would overwrite (D6).

It must not say so of a proposal that was returned: whoever proposed that has decided nothing.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.migrations import operations as ops
from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import FillInBatches

_FILL = """UPDATE refund_case SET first_proposed_by_id = (SELECT e.actor_id FROM refund_event e
  WHERE e.case_id = refund_case.id AND e.name = 'PROPOSE' AND e.from_state = 'REQUESTED'
  ORDER BY e.sequence DESC LIMIT 1)
WHERE id IN (SELECT c.id FROM refund_case c
  WHERE c.kind = 'LEAD' AND c.state <> 'REQUESTED' AND c.first_proposed_by_id IS NULL AND c.proposed_by_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM refund_event e
      WHERE e.case_id = c.id AND e.name = 'CONFIRM' AND e.from_state = 'REQUESTED')
  ORDER BY c.id LIMIT 1000{lock})"""


class Migration(BaseMigration):
    """Add the column, and fill it from the history."""

    dependencies = [("refundgql", "0030_questions")]  # noqa: RUF012  # Tortoise's own form

    operations = [  # noqa: RUF012
        ops.AddField("RefundCase", "first_proposed_by_id", fields.UUIDField(null=True)),
        FillInBatches(sqlite=_FILL.format(lock=""), postgres=_FILL.format(lock=" FOR UPDATE")),
    ]
