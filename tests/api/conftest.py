"""The marketplace behind the whole engine, on both databases.

It must not fake any layer.
"""

from api_world import desk, small_desk, things

__all__ = ["desk", "small_desk", "things"]
