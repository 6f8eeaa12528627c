"""Every setting of the server, read from REFUNDGQL_* environment variables once and frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableSetting

PREFIX = "REFUNDGQL_"
MASK = "***"


class SettingsError(ValueError):
    """The environment asks for something the server cannot do; the message is one sentence a setting."""


class Settings(BaseSettings):
    """The settings with their defaults; the README's table is printed from these fields."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: str = Field(
        "sqlite://refundgql.sqlite3", description="`sqlite://PATH` or `postgres://USER:PASSWORD@HOST:PORT/NAME`."
    )
    database_pool_size: int = Field(
        20, ge=4, le=400, description="PostgreSQL connections a process may hold, its bus's included."
    )
    bus: str = Field(
        "",
        description="`memory`, `postgres` or `nats://HOST:PORT`; empty: as the database, `memory` beside SQLite.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes on the port; more than one needs PostgreSQL.")
    root_path: str = Field(
        "", pattern=r"^(/[A-Za-z0-9._~-]+)*$", description="Path prefix that a proxy passes on, such as `/refunds`."
    )
    keep_alive_seconds: int = Field(
        75, ge=1, le=3_600, description="How long an idle HTTP connection is kept; longer than a proxy keeps its own."
    )
    public_url: str = Field("", description="Address clients reach the server under, for links in answers.")

    key_file: Path | None = Field(None, description="Private key file for locally signed tokens, mode 0600.")
    jwks_url: str = Field("", description="Key set of the token issuer; set it instead of a key file.")
    token_issuer: str = Field("refundgql", description="`iss` that every token must carry.")
    token_audience: str = Field("refundgql", description="`aud` that every token must carry.")

    policy: dict[str, Any] = Field(
        default_factory=dict, description='Policy overrides as a JSON object, for example `{"lead_window_days": 45}`.'
    )
    holiday_calendar: str = Field(
        "",
        description="Market (`ECB`, `FED`) or country (`US`) whose holidays are no business days for withdrawals.",
    )

    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Other sites whose pages may call the API, comma-separated; the own origin always may."
    )
    allowed_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Request headers those pages may send beside the usual ones (tracing, client names), "
        "comma-separated; `*` for any.",
    )
    exposed_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Response headers those pages may read beside X-Request-Id and the like, comma-separated."
    )
    compression: bool = Field(
        True, description="Whether answers and files over 1 KB are compressed; a proxy may do it instead."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For is believed, comma-separated."
    )
    introspection: bool = Field(True, description="Whether the schema may be introspected.")
    graphiql: bool = Field(True, description="Whether browsers get GraphiQL at /graphql.")
    trusted_documents: Path | None = Field(
        None, description="File of allowed operations, id to text or Apollo's manifest; all others are refused."
    )

    max_body_bytes: int = Field(131_072, ge=1_024, description="Largest HTTP body of an operation.")
    max_batch_bytes: int = Field(
        4_194_304, ge=1_024, description="Largest HTTP body of the marketplace's own account (SERVICE)."
    )
    body_timeout_seconds: float = Field(10, gt=0, description="Time an HTTP body may take to arrive.")
    max_message_bytes: int = Field(65_536, ge=1_024, description="Largest WebSocket message.")
    max_tokens: int = Field(1_500, ge=100, description="Most tokens in a document.")
    max_depth: int = Field(12, ge=1, description="Deepest nesting of a document (introspection may have 4 more).")
    max_fields: int = Field(
        400, ge=1, description="Most fields of a document, fragments counted where they are spread."
    )
    max_aliases: int = Field(30, ge=0, description="Most aliases of a document.")
    max_operations: int = Field(10, ge=1, description="Most operations in a document.")
    max_cost: int = Field(5_000, ge=1, description="Highest cost of an operation; connections multiply.")
    max_errors: int = Field(5, ge=1, description="Most errors in an answer.")
    operation_timeout_seconds: float = Field(5, gt=0, description="Time an operation may take.")
    max_operations_per_socket: int = Field(100, ge=1, description="Operations running on one WebSocket.")
    max_sockets_per_account: int = Field(20, ge=1, description="WebSockets and event streams of one account.")
    requests_per_minute: int = Field(600, ge=1, description="Operations an account may send in a minute.")
    connection_init_timeout_seconds: float = Field(5, gt=0, description="Time a WebSocket has to introduce itself.")

    signing_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret that signs addresses of evidence files, the same for all processes; else the key file's.",
    )
    evidence_store: str = Field(
        "file://evidence", description="Where evidence files are kept: `file://PATH` or `s3://BUCKET`."
    )
    evidence_max_bytes: int = Field(20_971_520, ge=1, description="Largest evidence file.")

    idempotency_days: int = Field(30, ge=30, description="Days for which a repeated idempotency key is recognized.")
    delivery_days: int = Field(30, ge=1, description="Days for which settled webhook deliveries stay in the log.")
    upload_days: int = Field(
        30, ge=1, description="Days for which announced files that became evidence are remembered."
    )
    read_mark_days: int = Field(
        0, ge=0, description="Days after which marks of read cases go, which count as unread then; 0 keeps them."
    )

    webhook_timeout_seconds: float = Field(15, gt=0, le=60, description="Time a webhook's receiver has to answer.")
    webhook_retry_seconds: Annotated[tuple[float, ...], NoDecode] = Field(
        (5, 30, 120, 900, 3_600, 21_600, 86_400),
        description="Waits between attempts at a webhook, comma-separated; after the last one it is given up.",
    )
    webhook_disable_after_days: float = Field(
        5, gt=0, description="A webhook endpoint that has taken nothing for so long is switched off."
    )
    webhook_private_addresses: bool = Field(
        False, description="Whether webhooks may go to private addresses and over plain HTTP."
    )

    test_clock: Path | None = Field(
        None, description="File holding the instant domain time is read from; only with `serve --allow-test-clock`."
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged.")
    metrics_token: SecretStr | None = Field(
        None, min_length=16, description="Bearer token that a scraper of /metrics must bring; without one anybody may."
    )
    otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector for traces, such as `http://collector:4318`; empty: none."
    )

    @field_validator("allowed_origins", "allowed_headers", "exposed_headers", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("webhook_retry_seconds", mode="before")
    @classmethod
    def _waits(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("webhook_retry_seconds")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or not all(0 < one <= 30 * 86_400 for one in value):
            raise ValueError("give seconds such as 5,30,120, each above 0 and at most 30 days")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        hosts = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2].split(",")
        ports = {host.rpartition("]")[2].partition(":")[2] for host in hosts} - {""}
        on_postgres = scheme in {"postgres", "postgresql"}
        if (scheme != "sqlite" and not on_postgres) or not rest or (on_postgres and not all(map(str.isdigit, ports))):
            raise ValueError("give sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")
        return value

    @field_validator("bus")
    @classmethod
    def _known_bus(cls, value: str) -> str:
        if value not in {"", "memory", "postgres"} and not re.match(r"(nats|tls)://[^/:]", value):
            raise ValueError("give memory, postgres or nats://HOST:PORT")
        return value

    @field_validator("public_url", "otlp_endpoint")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not (value.startswith(("http://", "https://")) and _authority(value)):
            raise ValueError("give an address such as https://desk.example.com")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _as_browsers_send_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(one == "*" or one == _authority(one) for one in value):
            raise ValueError("give origins as browsers send them, such as https://app.example.com, with nothing behind")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for one in value:
                ip_network(one)
        except ValueError:
            raise ValueError("give addresses or networks such as 10.0.0.7,10.1.0.0/16") from None
        return value

    @field_validator("evidence_store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme not in {"file", "s3"} or not rest:
            raise ValueError("give file://PATH or s3://BUCKET")
        return value

    @property
    def on_postgres(self) -> bool:
        """Tell whether the database is PostgreSQL."""
        return self.database_url.startswith("postgres")

    @property
    def database_address(self) -> str:
        """Return the database's URL as it is connected to: of several hosts the one that can be written to."""
        hosts = self.database_url.partition("://")[2].partition("/")[0]
        several = self.on_postgres and ("," in hosts or self.database_url.count("host=") > 1)
        if not several or "target_session_attrs" in self.database_url:
            return self.database_url
        return f"{self.database_url}{'&' if '?' in self.database_url else '?'}target_session_attrs=primary"

    @property
    def bus_url(self) -> str:
        """Return the bus to use, with the default that fits the database."""
        return self.bus or ("postgres" if self.on_postgres else "memory")


def _authority(url: str) -> str | None:
    """Return scheme, host and port of a URL as browsers write an origin; None where there is no host."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or re.search(r"\s", url):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    unsaid = port is None or port == {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" if unsaid else f"{parts.scheme}://{host}:{port}"


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting and is none, with the nearest one there is."""
    sentences = []
    for name in sorted(environment):
        meant = name.upper().removeprefix(PREFIX).lower()
        if name.upper().startswith(PREFIX) and meant not in Settings.model_fields:
            nearest = get_close_matches(meant, Settings.model_fields, 1)
            wanted = f"; did you mean {PREFIX}{nearest[0].upper()}?" if nearest else "."
            sentences.append(f"{name} is no setting{wanted}")
    return sentences


def in_force(settings: Settings) -> dict[str, Any]:
    """Return every setting by its variable's name, secrets and passwords in addresses masked."""
    shown: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = MASK
        elif isinstance(value, str) and "://" in value:
            value = _without_password(value)
        elif isinstance(value, Path):
            value = str(value)
        shown[f"{PREFIX}{name.upper()}"] = list(value) if isinstance(value, tuple) else value
    return shown


_SECRET_IN_URL = re.compile(r"(?<=:)[^:/@]*(?=@)|(?<=[?&]password=)[^&]*", re.IGNORECASE)


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{_SECRET_IN_URL.sub(MASK, rest)}"


def read_settings(**overrides: Any) -> Settings:
    """Read the environment once.

    Refuses: SettingsError naming every bad variable and what to give instead; values are never repeated.
    """
    try:
        settings = Settings(**overrides)
    except UnreadableSetting as error:
        name = str(error).partition('"')[2].partition('"')[0].upper()
        raise SettingsError(f"REFUNDGQL_{name}: give a JSON object.") from None
    except ValidationError as error:
        lines = [
            f"REFUNDGQL_{'_'.join(str(part) for part in issue['loc'][:1]).upper()}: {issue['msg']}."
            for issue in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError(" ".join(dict.fromkeys(lines))) from None
    if settings.workers > 1 and not settings.on_postgres:
        raise SettingsError("REFUNDGQL_WORKERS: several workers need PostgreSQL; set REFUNDGQL_DATABASE_URL to one.")
    if settings.bus_url == "postgres" and not settings.on_postgres:
        raise SettingsError("REFUNDGQL_BUS: the postgres bus needs REFUNDGQL_DATABASE_URL to be PostgreSQL.")
    return settings
