"""The opaque ids of the outside: a type name and a uuid."""

import re

_GLOBAL_ID = re.compile(r"([A-Za-z]{1,40})_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\Z")


def encode_id(type_name: str, uuid: str) -> str:
    """Return the global id of an object."""
    return f"{type_name}_{uuid}"


def split_id(global_id: str) -> tuple[str, str] | None:
    """Return type name and uuid text of a global id, or nothing when it is not one."""
    found = _GLOBAL_ID.match(global_id)
    return (found[1], found[2]) if found else None


def uuid_of(type_name: str, global_id: str) -> str | None:
    """Return the uuid of an id of this type, or nothing for any other text."""
    parts = split_id(global_id)
    return parts[1] if parts is not None and parts[0] == type_name else None
