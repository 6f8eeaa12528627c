"""Forgetting a person."""

import strawberry

from refundgql.api.acts.inputs import KEY, Input, required
from refundgql.api.acts.payloads import EraseAccountPayload, act
from refundgql.commands import persons as commands


@strawberry.input(description="Whom to forget, and why.")
class EraseAccountInput(Input):
    account_id: strawberry.ID = required("The account.")
    reason: str = required("Why, at most 4,000 characters, without anything about the person: it is kept.")
    idempotency_key: str = required(KEY)


@strawberry.type
class PersonMutations:
    erase_account = act(
        commands.erase_account,
        EraseAccountInput,
        EraseAccountPayload,
        argument="The account, and why.",
        description="Make everything held about a person unreadable for everybody (D30): name, reference, texts, chats"
        " and files. Amounts, states, instants, hashes and the ledger stay. Refused while a case is open or money is"
        " there. For administrators.",
    )
