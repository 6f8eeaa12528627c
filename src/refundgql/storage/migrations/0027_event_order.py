"""An event that is written with its commit order spares the trigger that looks for it.

It must not let a gap through: who gives an order has read the event before (storage/events.py), and processes of the
release before, which give none, keep the trigger.
"""

from __future__ import annotations

from tortoise.migrations.migration import Migration as BaseMigration

from refundgql.storage.migrations._steps import RunFor

_ONLY_WITHOUT = (
    "CREATE OR REPLACE TRIGGER refund_event_in_order BEFORE INSERT ON refund_event"
    " FOR EACH ROW WHEN (NEW.commit_order = 0) EXECUTE FUNCTION refund_event_in_order()"
)


class Migration(BaseMigration):
    """Let the trigger look only at events without an order."""

    dependencies = [("refundgql", "0026_notices_kept")]  # noqa: RUF012  # Tortoise's own form

    operations = [RunFor(postgres=(_ONLY_WITHOUT,))]  # noqa: RUF012
