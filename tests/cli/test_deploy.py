"""What operators install with: every instruction of the container file is carried out, and the unit is one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import wait_until_ready

from patience import PATIENCE_SECONDS, until_now
from ports import free_port

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
UNIT = ROOT / "deploy" / "refundgql.service"
INSTRUCTIONS = {
    *("FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"),
    *("ENTRYPOINT", "CMD"),
}


class Stage:
    """One stage of a build: a plain folder in the place of the image's root."""

    def __init__(self, root: Path) -> None:
        """Begin with an empty folder."""
        self.root = root
        self.workdir = "/"
        self.environment: dict[str, str] = {}
        self.said: dict[str, str] = {}

    def at(self, path: str) -> Path:
        """Return where a path of the image is."""
        absolute = path if path.startswith("/") else f"{self.workdir}/{path}"
        return self.root / absolute.lstrip("/")

    def placed(self, text: str) -> str:
        """Return a text whose absolute paths of the image are those of the folder."""
        return re.sub(r"(?<![\w/.:])/(opt|src|var)\b", lambda found: f"{self.root}/{found[1]}", text)

    def run(self, command: str) -> None:
        """Run a shell command as the builder does; people are added to a list of the folder's own."""
        tools = self.root / ".tools"
        tools.mkdir(exist_ok=True)
        adding = f'#!/bin/sh\nfor last in "$@"; do :; done\necho "$last $*" >> "{self.root}/passwd"\n'
        (tools / "useradd").write_text(adding)
        (tools / "useradd").chmod(0o755)
        (tools / "python").unlink(missing_ok=True)
        (tools / "python").symlink_to(sys.executable)
        kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        path = f"{tools}:{os.environ['PATH']}"
        cwd = self.at(self.workdir)
        cwd.mkdir(parents=True, exist_ok=True)
        shell = ["/bin/sh", "-ec", self.placed(command)]
        made = subprocess.run(
            shell, cwd=cwd, env=kept | {"PATH": path}, capture_output=True, text=True, timeout=500, check=False
        )
        assert made.returncode == 0, f"{command}\n{made.stdout}\n{made.stderr}"


def _lines() -> list[tuple[str, str]]:
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    kept = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in kept]


def _copy(stages: dict[str, Stage], stage: Stage, rest: str) -> None:
    *sources, target = shlex.split(rest)
    begin = ROOT
    if sources[0].startswith("--from="):
        begin = stages[sources.pop(0).removeprefix("--from=")].root
    for source in sources:
        given, wanted = begin / source.lstrip("/"), stage.at(target)
        if given.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(given, wanted, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            wanted.mkdir(parents=True, exist_ok=True)
            shutil.copy(given, wanted)


def build(folder: Path) -> Stage:
    """Carry every instruction out in plain folders and return the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for instruction, rest in _lines():
        if instruction == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            stage = stages[name] = Stage(folder / name)
            stage.root.mkdir()
        elif instruction == "RUN":
            stage.run(rest)
        elif instruction == "COPY":
            _copy(stages, stage, rest)
        elif instruction == "WORKDIR":
            stage.workdir = rest
            stage.at(rest).mkdir(parents=True, exist_ok=True)
        elif instruction == "ENV":
            stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        else:
            stage.said[instruction] = rest
    return stage


def test_every_instruction_is_known_here() -> None:
    """One that is added is carried out below, or this fails; nothing runs as root, and versions are pinned."""
    lines = _lines()
    assert {instruction for instruction, _ in lines} == INSTRUCTIONS
    last = lines[max(place for place, (one, _) in enumerate(lines) if one == "FROM") :]
    (user,) = [rest for instruction, rest in last if instruction == "USER"]
    assert int(user) > 0
    assert all("-c constraints.txt" in rest for instruction, rest in lines if "pip install" in rest)
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.!+-]*", line)] == []


ENGINE = shutil.which("buildah") if os.geteuid() == 0 else None
"""What builds the image itself, in test_container.py, where the machine has it and lets it."""


@pytest.mark.slow
@pytest.mark.skipif(ENGINE is not None, reason="test_container.py builds the image itself here")
def test_the_container_file_makes_a_server(tmp_path: Path) -> None:
    """Built in a plain folder, its entry point migrates and serves, its health check passes, and its signal ends it."""
    stage = build(tmp_path)
    assert "refundgql --system --uid 10001" in (stage.root / "passwd").read_text()
    # The second stage has the first one's folder under its own name, as the image does: only paths differ here.
    for script in (stage.root / "opt/venv/bin").iterdir():
        if script.is_file() and not script.is_symlink():
            text = script.read_bytes()
            script.write_bytes(text.replace(str(tmp_path / "build").encode(), str(stage.root).encode()))
    home = stage.at(stage.workdir)
    port = str(free_port())
    assert stage.said["EXPOSE"] == "8000"
    path = stage.placed(stage.environment["PATH"]).replace("$PATH", os.environ["PATH"])
    environment = {**stage.environment, "PATH": path, "REFUNDGQL_PORT": port, "REFUNDGQL_KEY_FILE": "key.pem"}
    entry, arguments = json.loads(stage.said["ENTRYPOINT"]), json.loads(stage.said["CMD"])
    entry = [shutil.which(entry[0], path=path) or entry[0], *entry[1:]]
    migrated = subprocess.run([*entry, "migrate"], cwd=home, env=environment, capture_output=True, check=False)
    assert migrated.returncode == 0, migrated.stderr
    server = subprocess.Popen([*entry, *arguments], cwd=home, env=environment)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        check = json.loads(stage.said["HEALTHCHECK"].partition(" CMD ")[2])
        check[0] = shutil.which(check[0], path=path) or check[0]
        # As often as an orchestrator does: a busy machine may take longer over an answer than the check waits.
        until_now(lambda: subprocess.run(check, env=environment, check=False).returncode == 0)
        server.send_signal(getattr(signal, stage.said["STOPSIGNAL"]))
        assert server.wait(PATIENCE_SECONDS) == 0
        assert subprocess.run(check, env=environment, capture_output=True, check=False).returncode != 0
    finally:
        server.kill()
        server.wait()
    kept = {entry.name for entry in home.iterdir()}
    assert stage.said["VOLUME"] == stage.workdir
    assert {"key.pem", "refundgql.sqlite3"} <= kept


HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
}


def test_the_unit_is_hardened_and_runs_commands_that_exist() -> None:
    """It begins as nobody, may write its state alone, and names commands and options as they are."""
    from refundgql.cli import COMMANDS

    text = UNIT.read_text(encoding="utf-8")
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert {name: said.get(name) for name in HARDENED} == HARDENED
    assert said["User"] not in {"", "root"}
    assert {said[name].split()[1] for name in ("ExecStart", "ExecStartPre")} <= set(COMMANDS)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Its own tool, where the machine has it, finds nothing to say of it, and next to nothing that it exposes."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        return
    text = UNIT.read_text(encoding="utf-8").replace(
        "/opt/refundgql/.venv/bin/refundgql", shutil.which("true") or "true"
    )
    unit = tmp_path / "refundgql.service"
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run([tool, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "refundgql.service" in line]
    assert told == []
    # Exposure from 0 to 10, in tenths; what is left is the network, which a server needs.
    exposed = [tool, "security", "--no-pager", "--offline=true", "--threshold=15", str(unit)]
    made = subprocess.run(exposed, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout
