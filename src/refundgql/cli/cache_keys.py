"""Print what the caches of client libraries want to know of the schema."""

from refundgql.api.schema import build_schema
from refundgql.gql.cache_keys import FORMS
from refundgql.gql.ports import core_schema
from refundgql.settings import SettingsError


def cache_keys_text(client: str) -> str:
    """Return a module of JavaScript for a client's build. Refuses: SettingsError for clients that are not known."""
    if client not in FORMS:
        raise SettingsError(f"There are cache keys for {' and '.join(FORMS)}, not for {client}.")
    return FORMS[client](core_schema(build_schema()))
