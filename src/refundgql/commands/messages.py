"""Messages on a case, and who may read which."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uuid_utils.compat import uuid7

from refundgql.commands.checks import EXPLANATION_CHARS, Checks
from refundgql.commands.deciding import case_of, decide_and_save, visible_case_facts
from refundgql.commands.idempotency import Made, once
from refundgql.commands.results import MessageResult
from refundgql.commands.unit_of_work import Unit, UnitOfWork
from refundgql.domain.calendar import to_micros
from refundgql.domain.decisions import Act, Decision
from refundgql.domain.facts import Case
from refundgql.domain.refusals import Refused, refusal
from refundgql.domain.sentences import sentence
from refundgql.domain.viewers import Viewer
from refundgql.domain.vocabulary import Audience, RefundActionName, RefusalCode
from refundgql.storage.case_messages import insert_case_message
from refundgql.storage.cases import SavedDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCaseMessage:
    """Say something on a case; to everyone on it unless an audience is named."""

    refund_case_id: str
    body: str
    audience: Audience | None = None
    idempotency_key: str | None = None


async def send_case_message(uow: UnitOfWork, viewer: Viewer, given: SendCaseMessage) -> MessageResult:
    """Send a message to an audience that the writer belongs to.

    Refuses: FORBIDDEN for an audience that the writer could not read; INVALID_INPUT for one that nobody is in.
    """
    message_id = str(uuid7())
    audience = given.audience or Audience.EVERYONE

    async def work(unit: Unit) -> Made:
        facts = await visible_case_facts(unit, viewer, given.refund_case_id)
        case = case_of(facts)
        refuse_outsider(viewer, case, audience)

        def fill(act: Act, checks: Checks) -> Act:
            if audience is Audience.COUNTERPARTY_AND_SUPPORT and case.counterparty_id is None:
                checks.refuse(
                    sentence("NO_COUNTERPARTY", "This case has no counterparty: write to the requester and support."),
                    "audience",
                )
            return replace(act, audience=audience, text=checks.text(given.body, "body", EXPLANATION_CHARS))

        async def keep(unit: Unit, decision: Decision, saved: SavedDecision) -> None:
            insert_case_message(
                unit.tx,
                message_id=message_id,
                case_id=case.id,
                author_id=viewer.account_id,
                audience=audience,
                body=given.body.strip(),
                sent_at=to_micros(decision.event.at),
            )

        act = Act(action=RefundActionName.SEND_MESSAGE, at=unit.now(), viewer=viewer, case_id=case.id)
        made = await decide_and_save(unit, act, facts, fill, keep)
        return {**made, "message_id": message_id}

    made, replayed = await once(uow, viewer, given, work)
    return MessageResult(made["message_id"], made["case_id"], replayed)


def refuse_outsider(viewer: Viewer, case: Case, audience: Audience) -> None:
    """Refuse an audience that whoever writes is not in. Refuses: FORBIDDEN."""
    members: dict[Audience, set[str | None]] = {
        Audience.EVERYONE: {case.requester_id, case.counterparty_id},
        Audience.REQUESTER_AND_SUPPORT: {case.requester_id},
        Audience.COUNTERPARTY_AND_SUPPORT: {case.counterparty_id},
        Audience.INTERNAL: set(),
    }
    if not viewer.is_staff and viewer.account_id not in members[audience]:
        message = sentence(
            "AUDIENCE_NOT_YOURS",
            "You can write only to an audience that you belong to: leave it out to write to everyone on the case.",
        )
        raise Refused(refusal(RefusalCode.FORBIDDEN, message, field=("audience",)))
