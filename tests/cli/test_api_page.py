"""docs/api.md is what the schema and the rules print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from refundgql.domain.vocabulary import RefusalCode

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"


@pytest.mark.slow
def test_the_page_is_printed_from_the_schema() -> None:
    """A field, a description, a refusal or an example that changes without the page is found."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "api_page.py")], capture_output=True, text=True, check=True
    )
    assert PAGE.read_text(encoding="utf-8") == done.stdout, "run: python scripts/api_page.py > docs/api.md"


def test_every_refusal_stands_at_some_mutation() -> None:
    """A code that no mutation names is one that clients would not expect."""
    named = {
        code
        for line in re.findall(r"^May be refused with (.+)\.$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        for code in re.findall(r"`([A-Z_]+)`", line)
    }
    assert named == {code.value for code in RefusalCode}


def test_links_lead_to_types() -> None:
    """Each type that is named on the page has its place on it."""
    text = PAGE.read_text(encoding="utf-8")
    places = {heading.lower() for heading in re.findall(r"^### (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= places
