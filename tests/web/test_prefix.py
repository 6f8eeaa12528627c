"""Everything works under a path prefix, told by the setting or by the proxy, and addresses lead back below it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from real_desk import MARKETPLACE, real_desk
from websockets.sync.client import connect

from refundgql.settings import Settings, SettingsError, read_settings

PAGE = {"accept": "text/html"}


@pytest.mark.parametrize(
    ("settings", "headers"), [({"root_path": "/desk/refunds"}, {}), ({}, {"x-forwarded-prefix": "/desk/refunds"})]
)
def test_a_prefix_is_taken_off(tmp_path: Path, settings: dict[str, str], headers: dict[str, str]) -> None:
    """Operations, health, GraphiQL with its files and sockets answer below it; probes without it do, too."""
    with real_desk(tmp_path, **settings) as desk:
        below = f"{desk.url}/desk/refunds"
        with httpx.Client(headers=headers) as http:
            assert http.get(f"{below}/readyz").status_code == 200
            assert http.get(f"{desk.url}/healthz").status_code == 200
            bearer = {"authorization": f"Bearer {desk.token(MARKETPLACE)}"}
            answer = http.post(f"{below}/graphql", json={"query": "{ viewer { externalRef } }"}, headers=bearer)
            assert answer.json()["data"] == {"viewer": {"externalRef": MARKETPLACE}}
            assert http.get(below, headers=PAGE).headers["location"] == "/desk/refunds/"
            led = http.get(below, headers=PAGE, follow_redirects=True)
            assert (str(led.url), led.status_code) == (f"{below}/graphql", 200)
            icon = led.text.partition('href="')[2].partition('"')[0]
            assert http.get(led.url.join(icon)).status_code == 200
            assert http.get(f"{desk.url}/desk/refundsgraphql", headers=PAGE).status_code == 404
        with connect(
            f"{below.replace('http', 'ws')}/graphql", subprotocols=["graphql-transport-ws"], additional_headers=headers
        ) as socket:
            socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(socket.recv())["type"] == "connection_ack"


@pytest.mark.parametrize("path", ["refunds", "/refunds/", "/a b", "//x"])
def test_a_prefix_that_is_none_is_refused(path: str) -> None:
    """It begins with a slash and ends without one."""
    with pytest.raises(SettingsError, match="REFUNDGQL_ROOT_PATH"):
        read_settings(root_path=path)
    assert Settings(root_path="/a/b").root_path == "/a/b"
