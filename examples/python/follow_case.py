"""Follow one refund case in a terminal: `python follow_case.py http://localhost:8000 RC-000001`, the token in TOKEN, or
several that follow one another.
"""

import asyncio
import contextlib
import os
import sys

from desk import Desk, SignedOutError, follow, keep_trying, one_after_another


async def main(url: str, number: str) -> None:
    """Print a case as it is, then every event as it happens."""
    async with Desk(url, one_after_another(os.environ["TOKEN"])) as desk:
        found = (await keep_trying(lambda: desk.case_by_number(number))).refund_case_by_number
        if found is None:
            sys.exit(f"There is no case {number} that you can see.")
        print(f"{found.number}: {found.requester.name} asks, {len(found.events.edges)} events so far", flush=True)
        for one in found.actions:
            print(f"  {one.name.value}: {'yes' if one.enabled else '; '.join(why.message for why in one.blockers)}")
        async for update in follow(desk, found.id):
            case, event = update.refund_case, update.event
            happened = f"{event.sequence} {event.name}" if event else "now"
            print(f"{happened}: {case.state.value}, version {case.version}, {case.whose_move.value}", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(main(*sys.argv[1:]))
        except SignedOutError as signed_out:
            sys.exit(str(signed_out))
