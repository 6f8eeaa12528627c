"""Long random stories over every act, person and clock: whatever happens, the desk's books are right."""

from __future__ import annotations

from typing import Any

from desk_story import Story
from domain_world import ADMIN, CLIENT, COLLEAGUE, EXPERT, LEDGER, POLICY, PRO, SUPPORT, A, K, S, good_act, usd
from hypothesis import given, settings
from hypothesis import strategies as st

from refundgql.domain.cases import is_final
from refundgql.domain.vocabulary import IssueDecision, RefundActionName, RefundCaseKind, RefundReason
from usual_examples import USUAL

PEOPLE = (PRO, CLIENT, EXPERT, SUPPORT, COLLEAGUE, ADMIN)
ACTS = tuple(action for action in A if action is not A.SUPERSEDE)
OPENING = (A.REQUEST, A.ISSUE, A.OPEN_TIMESHEET_DISPUTE)
AMOUNTS = st.sampled_from([None, 1, 1_999, 2_000, 4_000, 6_000, 9_999, 10_000, 10_001])


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, object]:
    """Draw an act, or something that happens around it."""
    what = draw(st.sampled_from(["act"] * 12 + ["days", "money", "spend", "release"]))
    if what == "act":
        return what, (
            draw(st.sampled_from(ACTS)),
            draw(st.sampled_from(PEOPLE)),
            draw(AMOUNTS),
            draw(st.integers(0, 3)),
        )
    return what, draw(st.sampled_from([1, 2, 4, 8, 20, 40, 190, 400]))


def play(story: Story, kind: RefundCaseKind, step: tuple[str, object], number: int) -> None:
    """Perform one step."""
    what, given_here = step
    if what == "days":
        assert isinstance(given_here, int)
        story.pass_days(given_here)
    elif what == "money":
        story.bring(LEDGER["expert"], 3_000)
        story.settle()
    elif what == "spend":
        for owner in ("client", "pro", "expert"):
            story.bring(LEDGER[owner], -max(story.ledger[LEDGER[owner]] - 1_000, 0))
    elif what == "release":
        story.release_milestone()
    else:
        action, viewer, minor, choice = given_here  # type: ignore[misc]
        _act(story, kind, action, viewer, minor, choice, number)


def _act(
    story: Story,
    kind: RefundCaseKind,
    action: RefundActionName,
    viewer: object,
    minor: int | None,
    choice: int,
    number: int,
) -> None:
    cases = list(story.cases.values())
    case = None if action in OPENING or not cases else cases[-1 - choice % min(len(cases), 2)]
    if case is None and action not in OPENING:
        return
    if kind is K.LEAD and action is not A.REQUEST and case is None:
        return
    named = case.kind if case is not None else K.INVOICE if kind is K.TIMESHEET else kind
    given_here: dict[str, Any] = {
        "case_id": f"case-{number}",
        "follow_up_id": f"case-{number}",
        "amount": usd(minor) if minor is not None else None,
    }
    if action is A.ISSUE:
        given_here["decision"] = list(IssueDecision)[choice % 3]
    if kind is K.LEAD and choice == 3 and action is A.REQUEST:
        given_here |= {"reason": RefundReason.NOT_HIRED, "reason_detail": None}
    person = None if action in (A.CREDIT, A.HAND_OVER) else viewer
    story.tries(good_act(action, named, person, story.at, **given_here), case)


@settings(max_examples=3 * USUAL)
@given(kind=st.sampled_from(K), script=st.lists(steps(), min_size=5, max_size=40))
def test_books_are_right_after_every_step(kind: RefundCaseKind, script: list[tuple[str, object]]) -> None:
    """Sums, caps, one open case, gapless legal events, one credit a case, and no debt but by support's decision."""
    story = Story.of(kind)
    for number, step in enumerate(script):
        play(story, kind, step, number)
        story.check()
    for case in story.cases.values():
        if is_final(story.seen(case), story.at, POLICY):
            assert case.state in (S.DECLINED, S.CREDITED, S.CANCELLED)
