"""An S3 server in a process of its own, with one bucket.

It must not be taken for S3 itself: it knows nothing of permissions.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from patience import until_now
from ports import free_port


@pytest.fixture(scope="session")
def bucket_url() -> Iterator[str]:
    """Start an S3 server in a process of its own, with a bucket, and give its URL."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until_now(lambda: _made(process, url))
        yield url
    finally:
        process.kill()
        process.wait()


def _made(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None
    with suppress(httpx.TransportError):
        return httpx.put(f"{url}/evidence").status_code == 200
    return False


def use_bucket(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store find the server by the usual variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
