"""The rules in force, for anybody to read."""

from typing import Any

import strawberry

from refundgql.api.context import LevelInfo
from refundgql.gql.declare import Level, level


@strawberry.type(description="One rule with its present value.")
class PolicyRule:
    rule: str = strawberry.field(description="The rule's number, such as C15; refusals cite it.")
    name: str = strawberry.field(description="The rule in a few words.")
    value: str = strawberry.field(description="Its present value, with the unit.")
    text: str = strawberry.field(description="What it says, in plain words.")
    from_source: bool = strawberry.field(
        description="Whether it comes from the marketplace's published terms; otherwise it is a product decision."
    )


@strawberry.type(description="All rules in force.")
class RefundPolicy:
    version: str = strawberry.field(
        description="Names this set of values; every case keeps the one it was decided under."
    )
    rules: list[PolicyRule] = strawberry.field(description="Leads first, then contracts, then product decisions.")


class PolicyRow:
    """The policy as clients see it."""

    __slots__ = ("rules", "version")

    def __init__(self, version: str, rules: list[Any]) -> None:
        """Keep both."""
        self.version = version
        self.rules = rules


@strawberry.type
class PolicyQueries:
    @level(description="The rules in force; everybody may read them, signed in or not.")
    @staticmethod
    def refund_policy(rows: list[Any], info: LevelInfo) -> Level[RefundPolicy]:
        policy = info.context.app.policy
        return [PolicyRow(policy.version, list(policy.rules()))]
