"""An S3 server in a process of its own, with one bucket.

It must not be taken for S3 itself: it knows nothing of permissions.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture(scope="session")
def bucket_url() -> Iterator[str]:
    """Start an S3 server in a process of its own, with a bucket, and give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                assert httpx.put(f"{url}/evidence").status_code == 200
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def use_bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store find the server by the usual variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
