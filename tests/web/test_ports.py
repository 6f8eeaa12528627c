"""The port of several processes opens when the first of them can answer, and connections are kept as long as is set."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest
from command_line import running
from real_desk import real_desk

from patience import PATIENCE_SECONDS
from ports import free_port
from refundgql import serving
from refundgql.settings import Settings

NGINX_KEEPS_SECONDS = 60


@pytest.mark.slow
def test_whoever_is_let_in_is_answered(tmp_path: Path, postgres_url: str) -> None:
    """Callers are refused while processes start; the first that is taken finds a process that serves."""
    port = free_port()
    refused = 0
    with running(
        tmp_path, "serve", "--workers", "2", "--port", str(port), REFUNDGQL_DATABASE_URL=postgres_url
    ) as server:
        server.wait_for(r'"Starting\."')
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except ConnectionRefusedError:
                refused += 1
                time.sleep(0.02)
        assert refused > 0
        server.wait_for(r'"Serving\."')
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS).status_code == 200


def test_an_idle_connection_is_closed_after_as_long_as_is_set(tmp_path: Path) -> None:
    """By itself later than a proxy closes its own, so that the proxy is the first; sooner where that is set."""
    assert serving.serving_of(Settings()).keep_alive_seconds > NGINX_KEEPS_SECONDS
    with real_desk(tmp_path, keep_alive_seconds=1) as desk, socket.create_connection(("127.0.0.1", desk.port)) as idle:
        idle.settimeout(PATIENCE_SECONDS)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n")
        received = b""
        while some := idle.recv(65_536):
            received += some
    assert received.startswith(b"HTTP/1.1 200")
