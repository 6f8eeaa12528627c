"""The container image, built by an engine where the machine has one, and what it runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from command_line import wait_until_ready
from test_deploy import ENGINE

from patience import PATIENCE_SECONDS, until_now
from ports import free_port

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.11-slim"
"""The base that the file names; here it is made of this machine's own Python, so that nothing has to be pulled."""


_BESIDE_LIBC = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libm.so.6", "libresolv.so.2")
_BESIDE_LIBC += ("libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1", "libstdc++.so.6")


def _needs(path: Path) -> set[Path]:
    """Return the libraries that a program or an extension is linked to."""
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    return {Path(found) for found in re.findall(r"(/\S+) \(0x", told)}


class Engine:
    """Buildah with a store of its own."""

    def __init__(self, folder: Path) -> None:
        """Keep images and containers in a folder."""
        self.words = ["buildah", "--root", str(folder / "store"), "--runroot", str(folder / "run")]

    def do(self, *words: str, timeout: int = 900) -> str:
        """Do something that has to go through and return what it printed."""
        done = subprocess.run([*self.words, *words], capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}"
        return done.stdout.strip()

    def make_base(self) -> None:
        """Make the base image: a shell, `useradd`, Python where the official image has it, and the way to packages."""
        container = self.do("from", "scratch")
        root = Path(self.do("mount", container))
        for name in ("bin", "usr/sbin", "etc", "tmp", "root", "var", "proc", "sys", "dev", "usr/local/bin"):
            (root / name).mkdir(parents=True, exist_ok=True)
        found = shutil.which("useradd", path="/usr/sbin:/sbin")
        assert found is not None
        programs = {"/bin/sh": "bin/sh", found: "usr/sbin/useradd"}
        python = Path(sys.base_prefix) / "bin" / "python3.11"
        programs[str(python)] = "usr/local/bin/python3.11"
        for program, target in programs.items():
            shutil.copy(Path(program).resolve(), root / target)
        for name in ("python", "python3"):
            (root / "usr/local/bin" / name).symlink_to("python3.11")
        library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
        left_out = shutil.ignore_patterns("test", "tests", "site-packages", "idlelib", "tkinter", "__pycache__", "*.a")
        shutil.copytree(library, root / "usr/local/lib" / library.name, ignore=left_out, symlinks=True)
        linked = [*map(Path, programs), *library.glob("lib-dynload/*.so")]
        libraries = {one for path in linked for one in _needs(path)}
        (libc,) = [one for one in libraries if one.name == "libc.so.6"]
        # What wheels may count on beside it, and names are resolved by.
        libraries |= {one for name in _BESIDE_LIBC if (one := libc.with_name(name)).exists()}
        for needed in libraries:
            target = root / str(needed).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(needed.resolve(), target)
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="ascii")
        (root / "etc/group").write_text("root:x:0:\n", encoding="ascii")
        _write_pip(root)
        self.do("umount", container)
        self.do("commit", "--rm", container, BASE)


def _write_pip(root: Path) -> None:
    """Let pip inside reach packages as it does outside."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = {found[1]: found[2] for found in re.finditer(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", told, re.MULTILINE)}
    for value in [part for one in settings.values() for part in one.split()]:
        if (given := Path(value)).is_absolute() and given.is_file():
            (root / value.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(given, root / value.lstrip("/"))
    kept = [f"{name} = {value}" for name, value in settings.items() if name not in {"find-links", "constraint"}]
    (root / "etc/pip.conf").write_text("\n".join(["[global]", *kept, ""]), encoding="utf-8")


def _children(pid: int) -> list[int]:
    listed = [one.read_text(encoding="ascii") for one in Path(f"/proc/{pid}/task").glob("*/children")]
    return [one for child in " ".join(listed).split() for one in (int(child), *_children(int(child)))]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give an engine that has built the image."""
    if ENGINE is None:
        pytest.skip("this machine has no buildah that may build; test_deploy.py carries the instructions out")
    folder = tmp_path_factory.mktemp("images")
    built = Engine(folder)
    built.make_base()
    file = str(ROOT / "deploy" / "Containerfile")
    isolated = ("--isolation", "chroot", "--format", "docker", "--pull-never", "--network", "host")
    built.do("build", *isolated, "-f", file, "-t", "refundgql", str(ROOT))
    yield built
    built.do("rm", "--all")
    built.do("rmi", "--all", "--force")


def _config(engine: Engine) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(engine.do("inspect", "--type", "image", "refundgql"))["Docker"]["config"]
    return told


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_image_says_what_it_is(engine: Engine) -> None:
    """Nobody's user, its volume, port, signal and health check stand where orchestrators look for them."""
    told = _config(engine)
    assert told["User"] == "10001"
    assert (list(told["Volumes"]), list(told["ExposedPorts"])) == (["/var/lib/refundgql"], ["8000/tcp"])
    assert (told["Entrypoint"], told["Cmd"], told["StopSignal"]) == (["refundgql"], ["serve"], "SIGTERM")
    assert told["Healthcheck"]["Test"][0] == "CMD"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_image_serves(engine: Engine) -> None:
    """It migrates and serves as its user, below its volume alone; its check passes until its signal has ended it."""
    told, port = _config(engine), free_port()
    container = engine.do("from", "--pull-never", "refundgql")
    settings = ("--env", f"REFUNDGQL_PORT={port}", "--env", "REFUNDGQL_KEY_FILE=key.pem")

    def inside(*command: str) -> list[str]:
        return ["run", "--isolation", "chroot", "--network", "host", *settings, container, "--", *command]

    assert engine.do(*inside("/bin/sh", "-c", "echo $(pwd) $HOME; : > here")).split()[0] == told["WorkingDir"]
    engine.do(*inside(*told["Entrypoint"], "migrate"))
    server = subprocess.Popen([*engine.words, *inside(*told["Entrypoint"], *told["Cmd"])])
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        check = [*engine.words, *inside(*told["Healthcheck"]["Test"][1:])]
        # As often as an orchestrator does: a busy machine may take longer over an answer than the check waits.
        until_now(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0)
        _end(server, told["StopSignal"])
        assert server.returncode == 0
    finally:
        server.kill()
        server.wait()
    assert subprocess.run(check, capture_output=True, check=False).returncode != 0
    kept = Path(engine.do("mount", container)) / told["WorkingDir"].lstrip("/")
    assert {one.stat().st_uid for one in kept.rglob("*")} <= {10001, 0}


def _end(server: subprocess.Popen[bytes], name: str) -> None:
    """Send the container's first process a signal, as an orchestrator does, and wait for its end."""
    programs = [one for one in _children(server.pid) if _is_server(one)]
    os.kill(programs[-1], getattr(signal, name))
    server.wait(PATIENCE_SECONDS)


def _is_server(pid: int) -> bool:
    words: Sequence[bytes] = ()
    with suppress(OSError):  # it has just ended
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return any(word.endswith(b"/refundgql") for word in words) and b"serve" in words
