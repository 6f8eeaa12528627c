"""The audit of dependencies fails for a known hole, and never calls audited what nobody has looked at."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> Any:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("audit_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": "x"}


@pytest.mark.parametrize(
    ("report", "holes"),
    [
        (None, None),
        ({"dependencies": []}, None),
        # A service that knows no package at all is no service; pip-audit itself would exit with 0.
        ({"dependencies": [{"name": "a", "skip_reason": "Dependency not found on PyPI"}]}, None),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, []),
        (
            {"dependencies": [{"name": "a", "version": "1", "vulns": [HOLE]}, {"name": "b", "skip_reason": "own"}]},
            ["a 1: PYSEC-2026-1, mended in 2.0"],
        ),
    ],
)
def test_reports_of_pip_audit(audit: Any, report: Any, holes: Any) -> None:
    """Holes are listed; no package looked at is not the same as no hole found."""
    assert audit.holes_in_python(report) == holes


@pytest.mark.parametrize(
    ("report", "holes"),
    [
        (None, None),
        ({"message": "405 Method Not Allowed", "error": {}}, None),
        ({"vulnerabilities": {}, "metadata": {}}, []),
        (
            {"vulnerabilities": {"a": {"severity": "high", "range": "<2"}, "b": {"severity": "low", "range": "*"}}},
            ["a <2: high"],
        ),
    ],
)
def test_reports_of_npm(audit: Any, report: Any, holes: Any) -> None:
    """Grave holes are listed; a registry that answers with an error was not reached."""
    assert audit.holes_in_npm(report) == holes


@pytest.mark.parametrize(
    ("arguments", "python", "npm", "fits", "code"),
    [
        ([], None, None, True, 0),
        (["--required"], None, [], True, 1),
        (["--required"], [], [], True, 0),
        ([], ["a hole"], None, True, 1),
        ([], None, ["a hole"], True, 1),
        ([], [], [], False, 1),
    ],
)
def test_what_fails_the_audit(
    arguments: list[str],
    python: Any,
    npm: Any,
    fits: bool,
    code: int,
    audit: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A hole fails, what does not fit fails, and silence fails when an answer is required; it is always said."""
    monkeypatch.delenv("REFUNDGQL_AUDIT", raising=False)
    monkeypatch.setattr(sys, "argv", ["audit.py", *arguments])
    monkeypatch.setattr(audit, "audit_python", lambda: python)
    monkeypatch.setattr(audit, "audit_npm", lambda: npm)
    monkeypatch.setattr(audit, "fits_together", lambda: fits)
    assert audit.main() == code
    said = capsys.readouterr().out
    assert said.count("not reachable: skipped") == (python is None) + (npm is None)


@pytest.mark.slow
def test_what_is_installed_fits_together(audit: Any) -> None:
    """Every installed package has what it asks for, and we have at least the versions that we ask for."""
    assert audit.fits_together()
