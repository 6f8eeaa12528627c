"""The marketplace behind the whole engine, on both databases."""

from api_world import desk, things

__all__ = ["desk", "things"]
