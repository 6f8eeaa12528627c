"""Say the values in graphql-core's messages as clients wrote them: in JSON, not in Python.

graphql-core prints them by a function that three of its modules know by name; each is given the one below.
"""

import json
from importlib import import_module
from typing import Any, Final

from graphql import Undefined

from refundgql.gql.ports import PRINTS_VALUES, inspect

MAX_CHARS: Final = 240
MAX_ITEMS: Final = 10
MAX_DEPTH: Final = 2

_NOT_NONE: Final = " not to be None."


def shown(value: Any, depth: int = 0) -> str:
    """Return a value as JSON, cut where it is long or deep; what JSON cannot say as graphql-core says it."""
    if value is None or value is Undefined or isinstance(value, bool | str):
        text = "undefined" if value is Undefined else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= MAX_CHARS else f"{text[: MAX_CHARS - 3]}..."
    if isinstance(value, list):
        if depth >= MAX_DEPTH and value:
            return "[...]"
        items = [shown(item, depth + 1) for item in value[:MAX_ITEMS]]
        return f"[{', '.join(items + ['...'] * (len(value) > MAX_ITEMS))}]"
    if isinstance(value, dict):
        if depth >= MAX_DEPTH and value:
            return "{...}"
        pairs = [f"{shown(str(name))}: {shown(item, depth + 1)}" for name, item in list(value.items())[:MAX_ITEMS]]
        return f"{{{', '.join(pairs + ['...'] * (len(value) > MAX_ITEMS))}}}"
    return inspect(value)


def null_for_none(message: str) -> str:
    """Return a message of graphql-core with null where its own words say None."""
    return f"{message.removesuffix(_NOT_NONE)} not to be null." if message.endswith(_NOT_NONE) else message


def say_values_as_json() -> None:
    """Have graphql-core print values so, for the whole process. Refuses: RuntimeError where it no longer asks."""
    for name in PRINTS_VALUES:
        module: Any = import_module(name)
        if not hasattr(module, "inspect"):
            raise RuntimeError(f"{name} prints values in another way than it did: look where messages say None now.")
        module.inspect = shown
