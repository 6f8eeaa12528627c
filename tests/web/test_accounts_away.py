"""While accounts cannot be loaded nobody is told that their token is bad, or that something broke."""

from pathlib import Path

import pytest

from refundgql.domain.viewers import Viewer
from refundgql.gql.answers import RequestRefused
from refundgql.web.authentication import AccountsUnavailable, TokenAuthentication
from refundgql.web.keys import LocalKey
from refundgql.web.tokens import TokenIssuer, TokenRules, TokenVerifier


async def test_a_database_that_is_away_is_a_503(tmp_path: Path) -> None:
    """A good token is answered with 503 and when to come back."""
    key, rules = LocalKey.load_or_create(tmp_path / "key.pem"), TokenRules(issuer="a", audience="b")

    async def away(_: str) -> Viewer | None:
        raise AccountsUnavailable("The database is away.")

    authentication = TokenAuthentication(TokenVerifier(key, rules), away)
    with pytest.raises(RequestRefused) as refused:
        await authentication.by_token(TokenIssuer(key, rules).issue_token("ada"))
    assert refused.value.status == 503
    assert refused.value.headers == [(b"retry-after", b"1")]
