"""Each command of the command line: what it prints, what it refuses in one sentence, and its exit code."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from command_line import ask, migrated, run, running, wait_until_ready

from refundgql.cli.settings import settings_table

pytestmark = pytest.mark.slow  # a process for each command

ROOT = Path(__file__).parents[2]
PEOPLE = (
    '{"account": {"externalRef": "pro", "name": "Pro", "roles": ["PRO"]}}\n'
    '{"account": {"externalRef": "customer", "name": "Customer", "roles": ["CUSTOMER"]}}\n'
    '{"lead": {"externalRef": "lead", "pro": "pro", "customer": "customer", "title": "T", "category": "C",'
    ' "location": "L", "price": {"amount": "5.00", "currencyCode": "USD"}, "chargedAt": "2026-01-01T00:00:00Z"}}\n'
)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Give a folder with a migrated database in it."""
    migrated(tmp_path)
    return tmp_path


def test_migrate_says_what_is_missing_and_brings_it(tmp_path: Path) -> None:
    """A deployment can ask first, then migrate, then ask again."""
    before = run(tmp_path, "migrate", "--check")
    assert before.returncode == 1
    assert "migrations are missing" in before.stdout
    assert run(tmp_path, "migrate").returncode == 0
    after = run(tmp_path, "migrate", "--check")
    assert (after.returncode, after.stdout) == (0, "The schema is up to date.\n")


@pytest.mark.parametrize(
    "arguments",
    [("serve",), ("import", "-"), ("ledger", "verify"), ("sweep",), ("token", "--as", "pro")],
    ids=lambda arguments: arguments[0],
)
def test_no_command_works_on_a_schema_it_does_not_know(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Each refuses in one sentence that names the cure, and nothing is created."""
    done = run(tmp_path, *arguments, given="", REFUNDGQL_PORT="0")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("run `refundgql migrate`.")
    assert done.stderr.count("\n") == 1


def test_import_takes_all_lines_or_none(desk: Path) -> None:
    """Bad lines are named one by one and nothing is written; mended, all are taken; again, all are unchanged."""
    bad = run(desk, "import", "-", given=PEOPLE + "nonsense\n" + '{"lead": {"externalRef": 1}}\n')
    assert bad.returncode == 1
    assert "line 4" in bad.stderr
    assert "line 5" in bad.stderr
    assert "nothing was written" in bad.stderr
    good = json.loads(run(desk, "import", "-", "--json", given=PEOPLE).stdout)
    assert (good["ok"], good["created"], good["unchanged"]) == (True, 3, 0)
    again = json.loads(run(desk, "import", "-", "--json", given=PEOPLE).stdout)
    assert (again["ok"], again["created"], again["unchanged"]) == (True, 0, 3)
    missing = run(desk, "import", "nowhere.jsonl")
    assert missing.returncode == 2
    assert "nowhere.jsonl" in missing.stderr
    assert run(desk, "ledger", "verify").stdout == "The ledger is sound: every invariant holds.\n"


def test_token_is_for_an_account_that_exists_and_a_key_of_ours(desk: Path) -> None:
    """The key file is its owner's alone; nobody unknown gets a token; an issuer's tokens are the issuer's to sign."""
    run(desk, "import", "-", given=PEOPLE)
    assert run(desk, "token", "--as", "pro").stdout.count(".") == 2
    assert stat.S_IMODE((desk / "key.pem").stat().st_mode) == 0o600
    assert run(desk, "token", "--as", "nobody").returncode == 2
    foreign = run(desk, "token", "--as", "pro", REFUNDGQL_JWKS_URL="https://issuer.example/keys")
    assert (foreign.returncode, foreign.stdout) == (2, "")


def test_serve_reads_the_test_clock_only_when_allowed(desk: Path) -> None:
    """The setting alone refuses to start; with the flag domain time is the file's, at each act."""
    clock = desk / "clock"
    clock.write_text("2026-01-31T23:59:59Z", encoding="utf-8")
    run(desk, "import", "-", given=PEOPLE)
    refused = run(desk, "serve", REFUNDGQL_TEST_CLOCK=str(clock), REFUNDGQL_PORT="0")
    assert refused.returncode == 2
    assert "--allow-test-clock" in refused.stderr
    token = run(desk, "token", "--as", "pro").stdout.strip()
    query = "{ leads { edges { node { refundAction { enabled } } } } }"
    with running(desk, "serve", "--allow-test-clock", "--port", "0", REFUNDGQL_TEST_CLOCK=str(clock)) as server:
        url = server.wait_for(r'"Serving\.".*"address":"([^"]+)"').group(1)
        wait_until_ready(url)
        assert ask(url, token, query)["data"]["leads"]["edges"][0]["node"]["refundAction"]["enabled"] is True
        clock.write_text("2026-02-01T00:00:00Z", encoding="utf-8")
        assert ask(url, token, query)["data"]["leads"]["edges"][0]["node"]["refundAction"]["enabled"] is False
        assert server.interrupt() == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("REFUNDGQL_PORT", "http", "REFUNDGQL_PORT"),
        ("REFUNDGQL_DATABASE_URL", "mysql://x", "REFUNDGQL_DATABASE_URL"),
        ("REFUNDGQL_POLICY", '{"lead_window_days": -1}', "REFUNDGQL_POLICY"),
        ("REFUNDGQL_POLICY", '{"no_such_rule": 1}', "REFUNDGQL_POLICY"),
        ("REFUNDGQL_WORKERS", "2", "PostgreSQL"),
    ],
)
def test_a_bad_setting_is_named_in_one_sentence(desk: Path, name: str, value: str, says: str) -> None:
    """The server does not start half configured, and does not repeat what may be secret."""
    done = run(desk, "serve", **{"REFUNDGQL_PORT": "0"} | {name: value})
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_schema_and_workflow_are_printed_from_the_code(tmp_path: Path) -> None:
    """The schema file is what the code declares; the machines print as tables and diagrams."""
    assert run(tmp_path, "schema").stdout == (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert "open_timesheet_dispute" in run(tmp_path, "workflow", "--kind", "timesheet").stdout.lower()
    assert run(tmp_path, "workflow", "--format", "mermaid").stdout.count("stateDiagram-v2") == 4
    assert run(tmp_path, "workflow", "--kind", "loan").returncode == 2


def test_the_readme_lists_every_setting_with_its_default() -> None:
    """The table is the one that the settings print."""
    assert settings_table() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_sweep_counts_what_it_acted_on(desk: Path) -> None:
    """A script can read how many clocks were due."""
    assert json.loads(run(desk, "sweep", "--json").stdout) == {"acted": 0}
