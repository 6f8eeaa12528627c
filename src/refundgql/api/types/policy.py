"""The rules in force and earlier ones, for anybody to read."""

from typing import Annotated, Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.api.faults import told
from refundgql.domain import policy_rules
from refundgql.domain.sentences import sentence
from refundgql.gql.declare import Level, level
from refundgql.gql.rows import row
from refundgql.queries.policies import find_policy


@strawberry.type(description="One rule with its value in this version.")
class PolicyRule:
    rule: str = strawberry.field(description="The rule's number, such as C15; refusals cite it.")
    name: str = strawberry.field(description="The rule in a few words.")
    value: str = strawberry.field(description="Its value, with the unit.")
    text: str = strawberry.field(description="What it says, in plain words.")
    from_source: bool = strawberry.field(
        description="Whether it comes from the marketplace's published terms; otherwise it is a product decision."
    )


@row("PolicyRow")
@strawberry.type(description="All rules, with the values of one version.")
class RefundPolicy:
    version: str = strawberry.field(
        description="Names this set of values; every case keeps the one it was decided under."
    )
    rules: list[PolicyRule] = strawberry.field(description="Leads first, then contracts, then product decisions.")


class PolicyRow:
    """The policy as clients see it."""

    __slots__ = ("rules", "version")

    def __init__(self, version: str, rules: list[policy_rules.PolicyRule]) -> None:
        """Keep both."""
        self.version = version
        self.rules = rules


Version = Annotated[
    str | None,
    strawberry.argument(
        description="A version that a case or one of its events names; the rules in force when left out."
    ),
]


@strawberry.type
class PolicyQueries:
    @level(
        description="The rules in force, or those of an earlier version: its values in today's words, and defaults for "
        "settings that it did not have yet. Everybody may read them, signed in or not."
    )
    @staticmethod
    async def refund_policy(rows: list[Any], info: LevelInfo, version: Version = None) -> Level[RefundPolicy]:
        app = info.context.app
        policy = app.policy if version in (None, app.policy.version) else await find_policy(app.database, version or "")
        if policy is None:
            raise told(sentence("UNKNOWN_POLICY", "No policy of this version is known: use one that a case names."))
        return [PolicyRow(policy.version, list(policy.rules()))]
