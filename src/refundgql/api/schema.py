"""The schema: every concept's queries, mutations and subscriptions put together.

Build it once for a process: types cannot be shared by two schemas.
"""

from functools import cache

import strawberry
from strawberry.schema.config import StrawberryConfig

from refundgql.api.acts.bulk_decisions import BulkMutations
from refundgql.api.acts.case_reads import CaseReadMutations
from refundgql.api.acts.persons import PersonMutations
from refundgql.api.acts.refund_acts import RefundActMutations
from refundgql.api.acts.refund_requests import RefundRequestMutations
from refundgql.api.acts.sync import SyncMutations
from refundgql.api.acts.webhooks import WebhookMutations
from refundgql.api.roots.nodes import NodeQueries
from refundgql.api.roots.previews import PreviewQueries
from refundgql.api.roots.simulations import SimulationQueries
from refundgql.api.roots.subscriptions import Subscription
from refundgql.api.roots.support import SupportMutations, SupportQueries
from refundgql.api.types.accounts import AccountQueries
from refundgql.api.types.case_messages import CaseMessageMutations
from refundgql.api.types.contracts import ContractQueries
from refundgql.api.types.evidence import (
    ConversationEvidence,
    EvidenceMutations,
    EvidenceQueries,
    FileEvidence,
    StatementEvidence,
)
from refundgql.api.types.leads import LeadQueries
from refundgql.api.types.policy import PolicyQueries
from refundgql.api.types.reasons import ReasonQueries
from refundgql.api.types.refund_cases import RefundCaseQueries
from refundgql.api.types.refusals import AmountRefusal, BasicRefusal, ConflictRefusal, WindowRefusal
from refundgql.api.types.reviews import ReviewMutations
from refundgql.api.types.scalars import SCALARS
from refundgql.api.types.transactions import Transaction
from refundgql.api.types.webhooks import WebhookQueries
from refundgql.api.types.withdrawals import WithdrawalMutations, WithdrawalQueries
from refundgql.api.types.workflow import WorkflowQueries
from refundgql.gql.rows import check_rows


@strawberry.type(
    description="Everything that can be read. Everything but refundPolicy and refundWorkflow needs a token."
)
class Query(
    AccountQueries,
    NodeQueries,
    LeadQueries,
    ContractQueries,
    RefundCaseQueries,
    PreviewQueries,
    PolicyQueries,
    WorkflowQueries,
    EvidenceQueries,
    ReasonQueries,
    SupportQueries,
    SimulationQueries,
    WithdrawalQueries,
    WebhookQueries,
):
    pass


@strawberry.type(
    description="Everything that can be done. Refusals are data in the payload; a refused act changes nothing."
)
class Mutation(
    SyncMutations,
    RefundRequestMutations,
    RefundActMutations,
    BulkMutations,
    CaseReadMutations,
    EvidenceMutations,
    CaseMessageMutations,
    SupportMutations,
    ReviewMutations,
    WithdrawalMutations,
    WebhookMutations,
    PersonMutations,
):
    pass


# The library prints this definition without a description, and tools ask for one of everything.
_ONE_OF = "directive @oneOf on INPUT_OBJECT"


@cache
def build_schema() -> strawberry.Schema:
    """Return the one schema of this process. Refuses: RowMismatch for fields that rows cannot give."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[
            AmountRefusal,
            BasicRefusal,
            ConflictRefusal,
            ConversationEvidence,
            FileEvidence,
            StatementEvidence,
            Transaction,
            WindowRefusal,
        ],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    check_rows(schema)
    return schema


def print_schema_text() -> str:
    """Return the schema in the schema language, as schema.graphql holds it."""
    described = f'"""Exactly one field is given, and it is not null."""\n{_ONE_OF}'
    return build_schema().as_str().replace(_ONE_OF, described, 1) + "\n"
