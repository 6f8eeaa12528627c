"""Forgetting a person."""

from typing import Annotated, Any

import strawberry

from refundgql.api.acts.inputs import KEY, Input, command, required
from refundgql.api.acts.payloads import EraseAccountPayload, run_command
from refundgql.api.context import LevelInfo
from refundgql.commands import persons as commands
from refundgql.gql.declare import Level, level


@strawberry.input(description="Whom to forget, and why.")
class EraseAccountInput(Input):
    account_id: strawberry.ID = required("The account.")
    reason: str = required("Why, at most 4,000 characters, without anything about the person: it is kept.")
    idempotency_key: str = required(KEY)


@strawberry.type
class PersonMutations:
    @level(
        description="Make everything held about a person unreadable for everybody (D30): name, reference, texts, chats"
        " and files. Amounts, states, instants, hashes and the ledger stay. Refused while a case is open or money is"
        " there. For administrators."
    )
    @staticmethod
    async def erase_account(
        rows: list[Any],
        info: LevelInfo,
        input: Annotated[EraseAccountInput, strawberry.argument(description="The account, and why.")],
    ) -> Level[EraseAccountPayload]:
        given = command(commands.EraseAccount, input, account_id="Account")
        return await run_command(info, lambda viewer: commands.erase_account(info.context.app.uow, viewer, given))
