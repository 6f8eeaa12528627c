"""A phone's day with a refund case: an answer lost, a tunnel, and the desk goes on: `python phone.py http://localhost:8000`."""

import asyncio
import sys
import uuid
from typing import Any

import httpx
from desk import Desk, follow, keep_trying, one_after_another
from refund_client import ApproveRefundInput, AssignCaseInput, Client, RequestLeadRefundInput
from refund_client.enums import RefundReason, RefundReasonDetail
from websockets.asyncio.client import ClientConnection


class LosesAnAnswer(httpx.AsyncHTTPTransport):
    """A line that carries the first mutation to the desk and drops before the answer is back."""

    lost = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and lose the answer of the first mutation."""
        response = await super().handle_async_request(request)
        if b"mutation" in request.content and not self.lost:
            self.lost = True
            await response.aclose()
            raise httpx.ReadError("the line dropped")
        return response


class Line:
    """The phone's WebSocket, which a tunnel can cut off without a word."""

    connection: ClientConnection | None = None

    def __call__(self, *given: Any, **options: Any) -> ClientConnection:
        """Keep the connection that is opened."""
        self.connection = ClientConnection(*given, **options)
        return self.connection

    def cut(self) -> None:
        """Close the socket under the connection."""
        if self.connection is not None:
            self.connection.transport.abort()


async def main(url: str) -> None:
    """Ask for money back, lose the answer, ask again, and follow the case through a tunnel."""
    async with httpx.AsyncClient() as http:
        people: list[dict[str, str]] = (await http.get(f"{url}/graphiql/people.json")).json()
    tokens = {person["role"]: person["token"] for person in reversed(people)}
    phone_http = httpx.AsyncClient(transport=LosesAnAnswer())
    async with (
        # The phone slept over the end of its token; the next one is at hand.
        Desk(url, one_after_another(f"spent {tokens['PRO']}"), phone_http) as phone,
        Desk(url, one_after_another(tokens["SUPPORT"])) as support,
    ):
        case_id = await report_a_lead(phone)
        told = await follow_through_a_tunnel(phone, support, case_id)
        history = await phone.phone_case(case_id)
        assert history.refund_case is not None
        written = [edge.node.sequence for edge in history.refund_case.events.edges]
        print(f"The phone was told {told}, the history holds {written}.")
        assert told == written


async def report_a_lead(phone: Client) -> str:
    """Report the first lead that can be; whatever happens to the answer, there is one case. Return its id."""
    leads = (await phone.my_leads(first=100)).leads
    lead = next(edge.node for edge in leads.edges if edge.node.refund_action.enabled)
    given = RequestLeadRefundInput(
        lead_id=lead.id,
        reason=RefundReason.JOB_CHANGED,
        reason_detail=RefundReasonDetail.DIFFERENT_LOCATION,
        idempotency_key=str(uuid.uuid4()),  # made when the button is pressed, kept until there is an answer
    )
    answer = (await keep_trying(lambda: phone.report_lead(given))).request_lead_refund
    if answer.refund_case is None:
        sys.exit("; ".join(refusal.message for refusal in answer.refusals))
    case = answer.refund_case
    print(f"{lead.title}: {case.number} {case.state.value}, replayed: {answer.replayed}")
    again = (await phone.report_lead(given)).request_lead_refund
    assert again.replayed
    assert again.refund_case is not None
    assert again.refund_case.id == case.id
    return case.id


async def follow_through_a_tunnel(phone: Desk, support: Client, case_id: str) -> list[int]:
    """Follow a case; once the first event is there the line is cut, and support decides meanwhile."""
    line, told = Line(), [1]  # the request itself is in the first update, as the present state
    cut = False
    async for update in follow(phone, case_id, create_connection=line):
        if update.event is None:
            print(f"now: {update.refund_case.state.value}")
        else:
            told.append(update.event.sequence)
            print(f"{update.event.sequence}: {update.event.name}")
        if update.refund_case.state.value == "CREDITED" and update.event and update.event.name == "CREDIT":
            return told
        if not cut:
            cut = True
            line.cut()
            print("In a tunnel. Support takes the case and approves it.")
            taken = await support.take_case(AssignCaseInput(refund_case_id=case_id, idempotency_key=str(uuid.uuid4())))
            assert taken.assign_case.refusals == []
            approval = ApproveRefundInput(refund_case_id=case_id, idempotency_key=str(uuid.uuid4()))
            approved = await support.approve_case(approval)
            assert approved.approve_refund.refusals == []
    raise AssertionError("the case went out of sight")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
