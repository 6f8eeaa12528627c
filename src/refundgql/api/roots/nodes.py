"""`node` and `nodes`: anything that has an id, for whoever may see it."""

from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.faults import too_many
from refundgql.api.types.ids import split_id
from refundgql.api.types.nodes import Node
from refundgql.api.types.relations import ById
from refundgql.gql.declare import Level, level
from refundgql.queries.accounts import visible_accounts
from refundgql.queries.case_messages import case_messages_by_id
from refundgql.queries.contracts import contracts_by_id
from refundgql.queries.events import events_by_id
from refundgql.queries.evidence import evidence_by_id
from refundgql.queries.external_refs import ExternalKind, ids_by_ref
from refundgql.queries.invoices import invoices_by_id
from refundgql.queries.leads import conversations_by_id, leads_by_id
from refundgql.queries.messages import messages_by_id
from refundgql.queries.milestones import milestones_by_id
from refundgql.queries.pages import MAXIMUM_ITEMS
from refundgql.queries.refund_cases import cases_by_id
from refundgql.queries.reviews import reviews_by_id
from refundgql.queries.transactions import transactions_by_id
from refundgql.queries.webhooks import deliveries_by_id, endpoints_by_id
from refundgql.queries.weeks import weeks_by_id
from refundgql.queries.withdrawals import withdrawals_by_id

LOADERS: dict[str, ById] = {
    "Account": visible_accounts,
    "BillingWeek": weeks_by_id,
    "CaseMessage": case_messages_by_id,
    "Contract": contracts_by_id,
    "Conversation": conversations_by_id,
    "ConversationEvidence": evidence_by_id,
    "FileEvidence": evidence_by_id,
    "Invoice": invoices_by_id,
    "Lead": leads_by_id,
    "Message": messages_by_id,
    "Milestone": milestones_by_id,
    "RefundCase": cases_by_id,
    "RefundEvent": events_by_id,
    "Review": reviews_by_id,
    "StatementEvidence": evidence_by_id,
    "Transaction": transactions_by_id,
    "WebhookDelivery": deliveries_by_id,
    "WebhookEndpoint": endpoints_by_id,
    "Withdrawal": withdrawals_by_id,
}
"""How each type is read by id, as the viewer may see it."""


@strawberry.type
class NodeQueries:
    @level(description="Anything by its id; none when there is none that you can see.")
    @staticmethod
    async def node(
        rows: list[Any], info: LevelInfo, id: Annotated[strawberry.ID, strawberry.argument(description="The id.")]
    ) -> Level[Node | None]:
        return await _nodes(info, [id])

    @level(description="Several things by their ids, in that order; none in the place of each that you cannot see.")
    @staticmethod
    async def nodes(
        rows: list[Any],
        info: LevelInfo,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The ids, at most 100.")],
    ) -> Level[list[Node | None]]:
        if len(ids) > MAXIMUM_ITEMS:
            raise too_many("ids", MAXIMUM_ITEMS)
        return [await _nodes(info, ids)]

    @level(
        description="Things by the marketplace's own references, in that order; none in the place of each that you "
        "cannot see."
    )
    @staticmethod
    async def by_external_ref(
        rows: list[Any],
        info: LevelInfo,
        kind: Annotated[ExternalKind, strawberry.argument(description="What the references stand for.")],
        external_refs: Annotated[list[str], strawberry.argument(description="The references, at most 100.")],
    ) -> Level[list[Node | None]]:
        if len(external_refs) > MAXIMUM_ITEMS:
            raise too_many("externalRefs", MAXIMUM_ITEMS)
        info.context.signed_in()
        found = await ids_by_ref(info.context.app.database, kind, external_refs)
        return [await _nodes(info, [strawberry.ID(f"{kind.type_name}_{found.get(ref)}") for ref in external_refs])]


async def _nodes(info: LevelInfo, ids: list[strawberry.ID]) -> list[Any]:
    """Return the row of each id, with one statement for each type among them."""
    viewer, found = info.context.signed_in(), dict[str, Any]()
    by_type: dict[str, list[str]] = {}
    for parts in filter(None, map(split_id, ids)):
        by_type.setdefault(parts[0], []).append(parts[1])
    for type_name, uuids in by_type.items():
        load = LOADERS.get(type_name)
        if load is None:
            continue
        rows = await load(info.context.app.database, viewer, list(dict.fromkeys(uuids)), info.selection.on(type_name))
        found.update((f"{type_name}_{one}", row) for one, row in rows.items() if type_name == row.TYPENAME)
    return [found.get(one) for one in ids]
