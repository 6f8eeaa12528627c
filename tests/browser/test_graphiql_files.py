"""The page's sources and built files, read without a browser."""

import gzip
import json
import re
from pathlib import Path

import brotli
import pytest
from graphql import OperationDefinitionNode, parse

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "src" / "refundgql" / "web" / "static" / "graphiql"
OPERATIONS = sorted((ROOT / "fixtures" / "operations").glob("*.graphql"))
SCRIPTS = sorted((BUILT / "assets").glob("*.js"))
MAX_MEGABYTES = 8  # each file three times: as it is, as Brotli and as gzip


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_each_operation_is_in_the_built_page(path: Path) -> None:
    """The committed build carries the operations as they stand now; it goes red when nobody rebuilt."""
    built = "".join(script.read_text() for script in SCRIPTS if ".worker" not in script.name)

    assert path.read_text() in built or path.read_text().replace("\n", "\\n") in built


def test_everything_for_staff_has_its_tab() -> None:
    """Each operation that staff's clients run is among the ready-made ones, but for what the desk asks itself."""
    table = (ROOT / "web" / "src" / "ready.ts").read_text()
    for path in OPERATIONS:
        if path.name.startswith(("support-", "admin-")) and path.stem != "support-desk":
            for one in parse(path.read_text()).definitions:
                assert isinstance(one, OperationDefinitionNode)
                assert one.name is not None
                assert f"\n  {one.name.value}: {{" in table, one.name.value


def test_the_page_asks_for_its_own_files_only() -> None:
    """Every file that index.html names lies in graphiql/ beside the page, and no script stands in the page itself."""
    page = (BUILT / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert named
    assert [name for name in named if not name.startswith("graphiql/")] == []
    assert [name for name in named if not (BUILT / name.removeprefix("graphiql/")).is_file()] == []
    assert re.findall(r"<script[^>]*>[^<]", page) == []
    assert re.findall(r"\son\w+=", page) == []


def test_the_page_is_one_script() -> None:
    """Nothing is left to be fetched when it is needed: the server may be restarting then."""
    (page,) = [script for script in SCRIPTS if script.name.startswith("index-")]
    assert re.findall(r"""\bimport\(["'`](?!\$)""", page.read_text()) == []


def test_the_scripts_need_no_eval_and_bring_no_source_maps() -> None:
    """No script evaluates text as code or names a source map, and no map file is shipped."""
    assert SCRIPTS
    for script in SCRIPTS:
        text = script.read_text()
        assert not re.search(r"(?<![\w$.])eval\(|new Function\(", text), script.name
        assert "sourceMappingURL=" not in text, script.name
    assert list(BUILT.rglob("*.map")) == []


def test_styles_load_nothing_from_elsewhere() -> None:
    """Stylesheets import nothing, and point at our own files or at data within themselves."""
    for sheet in (BUILT / "assets").glob("*.css"):
        text = sheet.read_text()
        assert "@import" not in text, sheet.name
        targets = re.findall(r"""url\(\s*["']?([^"')]+)""", text)
        assert [one for one in targets if not one.startswith(("./", "data:image/", "#"))] == [], sheet.name


def test_the_build_stays_small_and_brings_its_licences() -> None:
    """The files stay within a few megabytes, and the licences of what is in them lie beside them."""
    size = sum(path.stat().st_size for path in BUILT.rglob("*") if path.is_file())
    assert size < MAX_MEGABYTES * 1_000_000

    licences = (BUILT / "licenses.md").read_text()
    for package in ("graphiql", "monaco-editor", "react", "graphql-ws"):
        assert f"## {package} - " in licences
    assert "SIL Open Font License" in (BUILT / "font-licenses.txt").read_text()


def test_each_compressed_file_is_its_neighbour() -> None:
    """Every larger text file has a .br and a .gz beside it, and both unpack to it."""
    texts = [path for path in BUILT.rglob("*") if path.suffix in {".js", ".css", ".ttf"} and path.stat().st_size > 1024]
    assert texts
    for path in texts:
        assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) == path.read_bytes()
        assert brotli.decompress(path.with_name(path.name + ".br").read_bytes()) == path.read_bytes()


def test_the_lock_pins_every_package_and_names_no_address() -> None:
    """Each locked package has a checksum and no address to fetch it from; the registry is the reader's own."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
    assert "://" not in json.dumps([list(entry.values()) for entry in packages.values()])
