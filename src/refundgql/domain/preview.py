"""What an act would do, told before it is done (placeholder until the core settles)."""

from __future__ import annotations

from refundgql.domain.decisions import Act, Preview
from refundgql.domain.facts import Facts
from refundgql.domain.policy import Policy


def preview(act: Act, facts: Facts, policy: Policy) -> Preview:
    """Return what an act would do."""
    return Preview(allowed=True)
