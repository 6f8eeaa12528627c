"""Settings are told as they are in force, and a name that is none is not passed over in silence."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from command_line import Running, migrated, run, running, wait_until_ready

from refundgql.bootstrap import limits_of
from refundgql.gql.limits import Limits
from refundgql.settings import MASK, Settings, SettingsError, in_force, read_settings, unknown_settings


def test_settings_in_force_are_printed_with_secrets_masked(tmp_path: Path) -> None:
    """What the environment and defaults make; no password, key or token is in it, and nothing has to be reachable."""
    secrets = {
        "REFUNDGQL_DATABASE_URL": "postgres://desk:Sesame-4711@one:5432,two/refunds?password=Sesame-4711&sslmode=require",
        "REFUNDGQL_BUS": "nats://user:Sesame-4711@nats:4222",
        "REFUNDGQL_SIGNING_KEY": "Sesame-4711" * 8,
        "REFUNDGQL_METRICS_TOKEN": "Sesame-4711" * 4,
    }
    done = run(tmp_path, "config", REFUNDGQL_WORKERS="3", **secrets)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Sesame-4711" not in done.stdout
    assert "REFUNDGQL_WORKERS=3\n" in done.stdout
    assert f"REFUNDGQL_DATABASE_URL=postgres://desk:{MASK}@one:5432,two/refunds?password={MASK}" in done.stdout
    shown = json.loads(run(tmp_path, "config", "--json", **secrets).stdout)
    assert shown["REFUNDGQL_BUS"] == f"nats://user:{MASK}@nats:4222"
    assert list(shown) == [f"REFUNDGQL_{name.upper()}" for name in Settings.model_fields]
    assert in_force(Settings(otlp_endpoint="http://c:4318"))["REFUNDGQL_OTLP_ENDPOINT"] == "http://c:4318"


def test_a_name_that_is_no_setting_is_warned_of_with_the_nearest() -> None:
    """A slip of the pen is named with what was probably meant; others are named alone."""
    told = unknown_settings({"REFUNDGQL_WORKER": "2", "REFUNDGQL_XYZZY": "", "REFUNDGQL_PORT": "1", "PATH": ""})
    assert told == ["REFUNDGQL_WORKER is no setting; did you mean REFUNDGQL_WORKERS?", "REFUNDGQL_XYZZY is no setting."]


@pytest.mark.slow
def test_every_command_warns(tmp_path: Path) -> None:
    """The warning stands on standard error, and the command goes on."""
    done = run(tmp_path, "migrate", REFUNDGQL_DATABASE_POOLSIZE="5")
    assert done.returncode == 0
    assert done.stderr == (
        "refundgql: REFUNDGQL_DATABASE_POOLSIZE is no setting; did you mean REFUNDGQL_DATABASE_POOL_SIZE?\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLICY", "x"),
        ("POLICY", "[1]"),
        ("POLICY", '{"nothing": 1}'),
        ("WORKERS", "many"),
        ("HOST", ""),
        ("DATABASE_POOL_SIZE", "3"),
        ("JWKS_URL", "keys"),
        ("HOLIDAY_CALENDAR", "XYZ"),
    ],
)
def test_a_bad_setting_is_one_sentence_and_exit_code_2(tmp_path: Path, name: str, value: str) -> None:
    """It names the variable, whatever is wrong with the value."""
    done = run(tmp_path, "serve", **{f"REFUNDGQL_{name}": value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"refundgql: REFUNDGQL_{name}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "ALLOWED_ORIGINS",
            "https://app.example.com, http://localhost:5173,capacitor://localhost,http://[::1]:3000,*",
            "app.example.com|https://app.example.com/|https://App.example.com|https://app.example.com:443|null"
            "|https://a.example.com https://b.example.com|https://|http://a:port|http://user@a",
        ),
        (
            "TRUSTED_PROXIES",
            "10.0.0.7,10.1.0.0/16,::1,2001:db8::/32",
            "*|proxy.internal|10.1.0.1/16|10.0.0|10.0.0.7:80|10.0.0.7 10.0.0.8",
        ),
        ("PUBLIC_URL", "https://desk.example.com/refunds", "desk.example.com|//desk|ftp://desk|https://|http://a:b"),
        ("OTLP_ENDPOINT", "http://collector:4318", "collector|collector:4318|grpc://collector:4317"),
        ("BUS", "nats://nats:4222", "nats://|nats:///|nats|redis://nats"),
        (
            "DATABASE_URL",
            "postgres://desk:Sesame-4711@one:5432,[::1]:5433,two/refunds?sslmode=require",
            "postgres://|postgres://host:port/x|mysql://host/x|refunds.sqlite3|postgres://one:1,two:x/y",
        ),
        ("WEBHOOK_RETRY_SECONDS", "5, 30,120.5", "a,b|0|-1|,"),
    ],
)
def test_what_could_only_be_wrong_is_refused_when_it_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, good: str, bad: str
) -> None:
    """What would be passed over in silence, or fail where nobody looks, is one sentence that says what to give."""
    monkeypatch.setenv(f"REFUNDGQL_{name}", good)
    read_settings()
    for value in bad.split("|"):
        monkeypatch.setenv(f"REFUNDGQL_{name}", value)
        with pytest.raises(SettingsError) as refused:
            read_settings()
        assert str(refused.value).startswith(f"REFUNDGQL_{name}: "), value
        assert str(refused.value).count("REFUNDGQL_") == 1


def _lines(server: Running, *messages: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] in messages]


@pytest.mark.slow
def test_start_and_stop_are_a_line_each_with_the_settings_in_force(tmp_path: Path) -> None:
    """Somebody who reads the log knows what ran, where, with what, from when until when."""
    migrated(tmp_path)
    secret = {"REFUNDGQL_SIGNING_KEY": "Sesame-4711" * 8, "REFUNDGQL_WORKER": "1"}
    with running(tmp_path, "serve", "--port", "0", **secret) as server:
        url = server.wait_for(r'"Serving\.".*"address":"([^"]+)"').group(1)
        wait_until_ready(url)
        assert server.end(signal.SIGTERM) == 0
        starting, serving, stopped = _lines(server, "Starting.", "Serving.", "Stopped.")
        assert (serving["address"], starting["version"]) == (url, stopped["version"])
        assert starting["settings"]["REFUNDGQL_SIGNING_KEY"] == MASK  # type: ignore[index]
        assert "did you mean REFUNDGQL_WORKERS?" in server.output
        assert "Sesame-4711" not in server.output


@pytest.mark.slow
def test_a_demo_keeps_everything_in_the_folder_it_was_given(tmp_path: Path) -> None:
    """A relative path is below the folder that the command was called in, and nothing is written elsewhere."""
    with running(tmp_path, "demo", "--port", "0", "--folder", "kept/here") as demo:
        demo.wait_for("Stop with Ctrl-C")
        assert demo.interrupt() == 0
    written = {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {("kept", "here")}
    assert (tmp_path / "kept/here/demo.sqlite3").exists()


def test_without_settings_the_bounds_are_those_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A default stands twice, for servers of this desk and for whoever takes the GraphQL server alone: it is one."""
    for name in [one for one in os.environ if one.startswith("REFUNDGQL_")]:
        monkeypatch.delenv(name)
    assert limits_of(Settings()) == Limits()
