"""A real nginx with the lines that docs/operations.md has for it; only ports, paths and, where asked, TLS are others.

It must not know what is behind it.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ports import free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def told_lines() -> str:
    """Return the block of the page."""
    (block,) = re.findall(r"```nginx\n(.*?)```", OPERATIONS.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def replaced(text: str, there: str, instead: str, times: int = 1) -> str:
    """Put another text in the place of one that stands so many times."""
    assert text.count(there) == times, f"{there!r} stands {text.count(there)} times"
    return text.replace(there, instead)


def configuration(folder: Path, port: int, target: int, tls: Certificate | None, prefix: str) -> str:
    """Return the page's lines for a port before another one, as a whole configuration."""
    block = replaced(told_lines(), "http://127.0.0.1:8000", f"http://127.0.0.1:{target}", 2)
    block = replaced(block, "listen 443 ssl;", f"listen 127.0.0.1:{port}{' ssl' if tls else ''};")
    for told, path in (
        ("ssl_certificate /etc/ssl/refunds.example.pem;", tls and tls.certificate),
        ("ssl_certificate_key /etc/ssl/refunds.example.key;", tls and tls.key),
    ):
        block = replaced(block, told, f"{told.partition(' ')[0]} {path};" if path else "")
    if prefix:
        told = f"location {prefix}/ {{\n    proxy_set_header X-Forwarded-Prefix {prefix};"
        block = replaced(replaced(block, "location / {", told), "location /evidence", f"location {prefix}/evidence")
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {folder / name};\n" for name in names)
    main = f"daemon off;\nworker_processes 1;\npid {folder / 'pid'};\nevents {{}}\n"
    return f"{main}http {{\naccess_log off;\n{paths}{block}}}\n"


@asynccontextmanager
async def proxied(folder: Path, target: int, *, tls: Certificate | None = None, prefix: str = "") -> AsyncIterator[int]:
    """Run nginx before a port of this machine, and give its own."""
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx")
    port = free_port()
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, port, target, tls, prefix), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(NGINX, "-p", str(folder), "-c", str(file), "-e", "stderr")
    try:
        while True:
            assert process.returncode is None, "nginx does not take these lines"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()
