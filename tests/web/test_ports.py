"""The port of several processes opens when the first of them can answer, and not before."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import httpx
import pytest
from command_line import PATIENCE_SECONDS, running


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_whoever_is_let_in_is_answered(tmp_path: Path, postgres_url: str) -> None:
    """Callers are refused while processes start; the first that is taken finds a process that serves."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
