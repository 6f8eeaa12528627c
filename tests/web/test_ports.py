"""The port of several processes opens when the first of them can answer, and connections are kept as long as is set."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpx
import pytest
from command_line import running
from real_desk import real_desk

from patience import PATIENCE_SECONDS, until_now
from ports import free_port
from refundgql import serving
from refundgql.bootstrap import CannotRun
from refundgql.settings import Settings

NGINX_KEEPS_SECONDS = 60


GATE = """
import os, sys, time

while "--multiprocessing-fork" in sys.orig_argv and not os.path.exists(os.environ["GATE"]):
    time.sleep(0.02)
"""
"""Keeps processes of a port from starting until there is a file."""


@pytest.mark.slow
def test_whoever_is_let_in_is_answered(tmp_path: Path, postgres_url: str) -> None:
    """Callers are refused while processes start; the first that is taken finds a process that serves."""
    port, gate = free_port(), tmp_path / "gate"
    (tmp_path / "sitecustomize.py").write_text(GATE)
    settings = {
        "REFUNDGQL_DATABASE_URL": postgres_url,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "GATE": str(gate),
    }

    def let_in() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True

    with running(tmp_path, "serve", "--workers", "2", "--port", str(port), **settings) as server:
        server.wait_for(r'"Starting\."')
        assert not let_in()
        gate.touch()
        until_now(let_in)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS).status_code == 200
        server.wait_for(r'"Serving\."')


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


@pytest.mark.parametrize(
    ("host", "shown", "what"),
    [
        ("127.0.0.1", "127.0.0.1", "port"),
        ("192.0.2.1", "192.0.2.1", "host"),
        ("2001:db8::1", "[2001:db8::1]", "host"),
        ("no host", "no host", "host"),
    ],
)
def test_the_refusal_of_an_address_says_what_to_change(host: str, shown: str, what: str) -> None:
    """A port that is taken asks for another port, an address that is not this machine's for another host."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun) as refused:
            serving.listen(host, port)
    assert str(refused.value).startswith(f"{shown}:{port} cannot be listened on (")
    assert str(refused.value).endswith(f"); choose another {what}.")
