"""The deadlines that run on a case."""

from datetime import datetime

import strawberry

from refundgql.api.languages import said
from refundgql.api.types.wording import Wording, wording
from refundgql.domain.vocabulary import ClockName, WhoseMove
from refundgql.gql.declare import leaf


@strawberry.type(description="One deadline that runs on a case.")
class Clock:
    name: ClockName = strawberry.field(description="Which one.")
    rule: str = strawberry.field(description="The rule that sets it, such as D8.")
    starts_at: datetime = strawberry.field(description="When it began to run.")
    ends_at: datetime = strawberry.field(description="When it runs out, exclusive.")
    whose_move: WhoseMove = strawberry.field(description="Who should act before it runs out.")
    when_it_runs_out: str = leaf(
        lambda row: said(row.when_it_runs_out), description="What happens then, in one sentence."
    )
    wording: Wording = leaf(
        lambda row: wording(row.when_it_runs_out), description="The code and the parameters of `whenItRunsOut`."
    )
    paused_by_request: bool = strawberry.field(
        description="Whether a request stops it; no clock of the rules is (C27)."
    )
