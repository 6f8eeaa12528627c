"""What a sender asks all the time, and a page of the log, is read off an index however long the log is."""

from __future__ import annotations

from uuid_utils.compat import uuid7
from webhook_desk import WebhookDesk

from refundgql.commands.webhook_sending import EndpointNeed, find_work
from refundgql.storage.database import Dialect
from refundgql.storage.statements import counted_statements, for_postgres, for_sqlite
from refundgql.storage.webhooks import claim_endpoints


async def plan(hooks: WebhookDesk, sql: str) -> str:
    """Return how a statement is carried out when tables are large."""
    async with hooks.desk.app.database.transaction() as tx:
        if tx.dialect is Dialect.SQLITE:
            statement = for_sqlite(sql).sql
            rows = await tx.fetch(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
            return "\n".join(row["detail"] for row in rows)
        statement = for_postgres(sql)
        await tx.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await tx.execute(f"PREPARE shown AS {statement}")
        values = ", ".join(["NULL"] * statement.count("$"))
        rows = await tx.fetch(f"EXPLAIN EXECUTE shown{f'({values})' if values else ''}")
        await tx.execute("DEALLOCATE shown")
        return "\n".join(row[0] for row in rows)


async def long_log(hooks: WebhookDesk, endpoint: str, size: int = 3_000) -> None:
    """Fill the log with what was sent long ago."""
    async with hooks.desk.app.database.transaction() as tx:
        await tx.execute_many(
            "INSERT INTO webhook_delivery (id, endpoint_id, event_id, case_id, commit_order, position, state,"
            " queued_at, settled_at) VALUES (?, ?, ?, ?, 0, ?, 'DELIVERED', 0, 0)",
            [(str(uuid7()), endpoint, str(uuid7()), str(uuid7()), -number) for number in range(size)],
        )
    async with hooks.desk.app.database.transaction() as tx:
        await tx.execute("ANALYZE")


async def test_queues_and_logs_are_read_off_an_index(hooks: WebhookDesk) -> None:
    """Neither the front of a queue nor a page of deliveries is sorted for."""
    endpoint, _ = await hooks.endpoint("https://example.com/")
    await hooks.cases()
    (claimed,) = await claim_endpoints(hooks.desk.app.database, "me", 10**9, limit=1)
    while (await find_work(hooks.desk.app.uow, claimed, "me", 1)).situation is not EndpointNeed.SEND:
        pass
    await long_log(hooks, claimed)
    with counted_statements() as front:
        await find_work(hooks.desk.app.uow, claimed, "me", 1)
    with counted_statements() as page:
        document = "query($id: ID!) { webhookEndpoint(id: $id) { deliveries { edges { node { id } } } } }"
        await hooks.desk.run("ada", document, id=endpoint)
    (queue,) = [statement for statement in front if "FROM webhook_delivery d" in statement]
    for statement, index in ((queue, "webhook_delivery_queue"), (page[-1], "webhook_delivery_newest")):
        shown = await plan(hooks, statement)
        assert index in shown, shown
        assert "Sort" not in shown, shown
        assert "TEMP B-TREE" not in shown, shown
