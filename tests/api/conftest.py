"""The marketplace behind the whole engine, on both databases."""

from __future__ import annotations

import pytest

from api_world import Desk, desk, small_desk, things

__all__ = ["desk", "small_desk", "things"]


@pytest.fixture
async def filled(desk: Desk) -> Desk:
    """Give the marketplace with long lists."""
    from test_pagination import fill

    await fill(desk)
    return desk
