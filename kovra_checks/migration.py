"""What is to move: one frozen, validated model, made from one TOML file before any system is contacted.

Names (`apps.web`, `databases.main`, …) are table keys in the file and therefore unique; every collection here is sorted
by name, so that ids are stable. Secrets are references (`SecretRef`), never values.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from kovra_checks.outcome import canonical_json
from kovra_checks.units import parse_duration, parse_size

__all__ = [
    "App", "Database", "DnsProviderConfig", "Domain", "Integration", "Job", "Migration", "Policy", "SecretRef",
    "SmokeTest", "Source", "Target", "VariableRules", "Waiver", "Watch",
]  # fmt: skip

SECRET_REFERENCE = re.compile(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")
NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
HOST = r"^(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


def _reference(value: str) -> str:
    if not SECRET_REFERENCE.match(value):
        raise ValueError("a secret is given by reference, `env:NAME` or `file:PATH`, never as a value")
    return value


def _no_password(value: str) -> str:
    if re.match(r"^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@", value):
        raise ValueError("a URL here must not hold a password: give the secret by reference, `env:NAME` or `file:PATH`")
    return value


def _host(value: Any) -> Any:
    """Host names compare in lower case without the root dot (RFC 4343)."""
    return value.rstrip(".").lower() if isinstance(value, str) else value


SecretRef = Annotated[
    str,
    AfterValidator(_reference),
    Field(
        description="env:NAME or file:PATH (relative to the file)",
        json_schema_extra={"pattern": SECRET_REFERENCE.pattern},
    ),
]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$"), AfterValidator(_no_password)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda duration: f"{duration.total_seconds():g}s", return_type=str),
    Field(description='a number and a unit: "90s", "5m", "48h", "2d"'),
]
Size = Annotated[int, BeforeValidator(parse_size), Field(description='bytes with a unit: "512MiB", "10GB"')]
StageName = Literal[
    "readiness", "provision", "database", "pitfalls", "precutover", "cutover", "postcutover", "decommission"
]
Name = Annotated[str, Field(pattern=NAME, max_length=63)]
Port = Annotated[int, Field(ge=1, le=65535)]
Status = Annotated[int, Field(ge=100, le=599)]
Host = Annotated[str, Field(pattern=HOST, max_length=253), BeforeValidator(_host)]
Server = Annotated[
    str,
    Field(
        pattern=r"^(\[[0-9a-fA-F:]+\]|[0-9.]+|[0-9a-fA-F:]+)(:\d{1,5})?$",
        description='an address, with a port if it is not 53: "192.0.2.1", "127.0.0.1:5353"',
    ),
]


class Model(BaseModel):
    """Frozen, and strict about unknown keys: a typo must not silently mean a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def __repr__(self) -> str:
        """Short and stable: it becomes part of test parameters and of Allure's history ids."""
        return f"{type(self).__name__}({getattr(self, 'name', '')})"


class Source(Model):
    """Where the workload runs today."""

    platform: Literal["heroku", "railway", "render", "byoc", "generic"]
    api_url: Url | None = Field(None, description="base URL of the platform's API; the vendor's own unless set")
    data_api_url: Url | None = Field(None, description="Heroku: base URL of the data API (databases, backups)")
    token: SecretRef | None = Field(None, description="API token, by reference")


class Target(Model):
    """Kovra Cloud. Its REST paths are not public: `endpoint_map` overrides the assumed ones."""

    api_url: Url | None = Field(None, description="base URL of Kovra's API as your organisation was given it")
    token: SecretRef | None = Field(None, description="API token, by reference")
    tenant: Annotated[str, Field(min_length=1)] = Field("default", description="the tenant's name as Kovra shows it")
    plan: Literal["developer", "team", "business", "enterprise"] | None = Field(
        None, description="the plan chosen; its limits are compared with what is used"
    )
    endpoint_map: Path | None = Field(None, description="TOML file that overrides paths and fields of the assumed API")


class SmokeTest(Model):
    """One request that must answer as expected. `name` is the table key."""

    name: Name
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    path: Annotated[str, Field(pattern=r"^/")]
    headers: dict[str, str] = Field(default_factory=dict)
    body: str | None = None
    status: Status = 200
    contains: tuple[str, ...] = Field((), description="texts that must stand in the body")
    within: Duration = Field(timedelta(seconds=5), description="the whole answer must be there by then")
    compare: bool = Field(default=True, description="also compare with the source's answer (responses-match-source)")
    ignore: tuple[str, ...] = Field((), description="regular expressions blanked in both bodies before comparing")


class VariableRules(Model):
    """How variables may differ between source and target. Names only."""

    must_differ: tuple[str, ...] = Field((), description="copied values would be wrong here, e.g. DATABASE_URL")
    set: dict[str, SecretRef] = Field(default_factory=dict, description="new values on the target, by reference")
    rename: dict[str, str] = Field(default_factory=dict, description="source name -> target name")
    retire: tuple[str, ...] = Field((), description="not needed on the target")
    target_only: tuple[str, ...] = Field((), description="exists on the target alone")


class App(Model):
    """One application. `name` is the table key."""

    name: Name
    source: str = Field("", description="the app's name at the source; the table key unless set")
    target: Name | None = Field(None, description="the app's name on Kovra Cloud; the table key unless set")
    repository: Url | None = Field(None, description="the Git repository on GitHub or GitLab")
    branch: str = "main"
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,40}$")] | None = Field(
        None, description="expected commit; the one running at the source unless set"
    )
    processes: dict[str, str] = Field(default_factory=dict, description="process type -> command at the target")
    health_path: Annotated[str, Field(pattern=r"^/")] = Field(
        "/healthz", description="path that answers 200 while the app is healthy"
    )
    database_health_path: Annotated[str, Field(pattern=r"^/")] | None = Field(
        None, description="path that answers 200 only while the app reaches its database"
    )
    port: Port = Field(8080, description="port the app listens on at the target")
    generated_host: Host | None = Field(None, description="the subdomain Kovra generated; asked of its API unless set")
    databases: dict[str, Name] = Field(default_factory=dict, description="variable -> database, e.g. DATABASE_URL")
    variables: VariableRules = VariableRules()
    uploads: Literal["none", "object-storage", "disk"] = Field(
        "none", description="where user uploads live at the target; `disk` is ephemeral on Kovra Cloud"
    )
    upload_variables: tuple[str, ...] = Field((), description="variables that configure the object storage")
    smoke: tuple[SmokeTest, ...] = Field((), description="requests that must answer as expected")

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: Any) -> Any:
        if isinstance(data, dict) and "name" in data:
            data = {"source": data["name"], "target": data["name"], **data}
        return data

    @property
    def target_name(self) -> str:
        """The app's name on Kovra Cloud."""
        return self.target if self.target is not None else self.name


class Database(Model):
    """One database. `name` is the table key."""

    name: Name
    source_url: SecretRef = Field(description="connection URL of the source, by reference")
    target_url: SecretRef | None = Field(None, description="by reference; asked of Kovra's API unless set")
    target: Name | None = Field(None, description="name of the managed database; the table key unless set")
    version: Literal["15", "16", "17"] | None = Field(
        None, description="PostgreSQL major version at the target; not older than the source"
    )
    method: Literal["dump-custom"] = Field("dump-custom", description="how the data moves: pg_dump -Fc and pg_restore")
    route: Literal["direct", "vpn", "pod"] = Field(
        "direct", description="how the target database is reached for the import"
    )
    write_strategy: Literal["freeze", "repoint", "replicate"] | None = Field(
        None, description="how lost writes are prevented while DNS propagates; without one there is no GO"
    )
    schemas: tuple[str, ...] = Field((), description="schemas to move; all but the system's unless set")
    ignore_schemas: tuple[str, ...] = Field(("heroku_ext",), description="the source platform's own schemas")
    critical_queries: dict[Name, str] = Field(default_factory=dict, description="name -> SELECT with equal answers")

    @property
    def target_name(self) -> str:
        """The managed database's name."""
        return self.target if self.target is not None else self.name


class Domain(Model):
    """One custom domain. `name` (the table key) is the host name."""

    name: Host
    app: Name
    zone: Host = Field(description="the DNS zone that holds the record")
    provider: Name | None = Field(None, description="entry of [dns_providers]; without one the swap is done by hand")
    target: Host | Server = Field(description="what Kovra shows: a host name (CNAME) or an address (A/AAAA)")
    source_target: Host | Server = Field(description="what the record holds today, or the source's DNS target")
    port: Port = Field(443, description="https port of both sides")
    http_port: Port = Field(80, description="http port of both sides")
    certificate: Literal["before", "bounded-gap"] = Field(
        "before", description="`before`: a valid certificate must be served before the swap"
    )
    certificate_issuers: tuple[str, ...] = Field(("letsencrypt.org",), description="CAA identities that may issue")


class DnsProviderConfig(Model):
    """How records are changed. `name` is the table key."""

    name: Name
    kind: Literal["rfc2136", "manual"]
    server: Server | None = Field(None, description="rfc2136: the primary server that takes updates")
    key_name: str | None = Field(None, description="rfc2136: name of the TSIG key (RFC 8945)")
    key_secret: SecretRef | None = Field(None, description="rfc2136: the TSIG key in base64, by reference")
    key_algorithm: Literal["hmac-sha256", "hmac-sha512"] = "hmac-sha256"


class Integration(Model):
    """A party outside that calls the app. `name` is the table key."""

    name: Name
    kind: Literal["webhook", "oauth"]
    app: Name
    domain: Host
    path: Annotated[str, Field(pattern=r"^/")]
    secret: SecretRef | None = Field(None, description="webhook: the signing secret, by reference")
    signature_header: str = Field("X-Signature", description="webhook: header that carries the HMAC-SHA256 of the body")
    body: str = '{"test": true, "origin": "kovra-checks"}'
    status: Status = 200
    authorize_url: Url | None = Field(None, description="oauth: where the login starts; its redirect_uri must be ours")


class Job(Model):
    """A scheduled job. `name` is the table key."""

    name: Name
    app: Name
    schedule: str = Field(description="five cron fields: minute hour day month weekday")
    timezone: str = Field("UTC", description="IANA time zone of the schedule")
    command: str
    source_process: str | None = Field(None, description="process type that runs it at the source, e.g. clock")


class Watch(Model):
    """The traffic watch around the swap and the soak."""

    rate: float = Field(5.0, gt=0, description="requests a second to each domain during the cutover")
    paths: tuple[str, ...] = Field(("/",), description="paths that are requested in turn")
    traffic_log: Path | None = Field(
        None, description="JSON lines of real traffic to judge as well (docs/traffic-log.md)"
    )


class Policy(Model):
    """Numbers a gate decides by. Each has a default that is right for most moves."""

    evidence_max_age: Duration = Field(
        timedelta(hours=24), description="a gate older than this no longer opens the way for actions"
    )
    approvals: tuple[StageName, ...] = Field(
        (), description="stages whose actions need a recorded `kovra-checks approve` that is not older than the gates"
    )
    low_ttl: Annotated[int, Field(ge=1, le=300)] = Field(300, description="seconds; the TTL for the cutover")
    restored_ttl: Annotated[int, Field(ge=1)] = Field(3600, description="seconds; the TTL after the move")
    soak: Duration = Field(timedelta(hours=48), description="how long the old side is kept and the new one watched")
    watch_window: Duration = Field(
        timedelta(minutes=30), description="how long after the swap a failing cutover check undoes it"
    )
    propagation_deadline: Duration = Field(
        timedelta(hours=1), description="how long to wait until every resolver shows the new record"
    )
    action_deadline: Duration = Field(timedelta(minutes=15), description="how long one action may take")
    patience: Duration = Field(
        timedelta(0),
        description="how long a stage may wait for a moment it knows (TTL aged, soak over) before it says so",
    )
    quiet_interval: Duration = Field(
        timedelta(seconds=30), description="how long the source must see no write and no request"
    )
    certificate_margin: Duration = Field(
        timedelta(days=7), description="a certificate must be valid for at least this much longer"
    )
    error_rate: Annotated[float, Field(ge=0, le=1)] = Field(0.01, description="share of requests that may fail, 0 to 1")
    latency_factor: Annotated[float, Field(gt=0)] = Field(
        1.5, description="how much slower than the source's own baseline answers may be"
    )
    latency_floor_ms: float = Field(50.0, description="differences below this are noise")
    samples: Annotated[int, Field(ge=5, le=10_000)] = Field(60, description="requests per latency measurement")
    probe_timeout: Duration = Field(timedelta(seconds=10), description="how long one network question may take")
    probe_threads: Annotated[int, Field(ge=1, le=1024)] = Field(320, description="questions put at once")
    backup_max_age: Duration = Field(timedelta(hours=24), description="the newest backup of the source must be younger")
    old_hosts: tuple[str, ...] = Field(
        (".herokuapp.com", ".herokudns.com", ".up.railway.app", ".rlwy.net", ".railway.internal", ".onrender.com",
         ".render.com", ".compute-1.amazonaws.com"),
        description="suffixes of hosts that must not be referred to after the move",
    )  # fmt: skip
    internal_database_suffixes: tuple[str, ...] = Field(
        (".svc", ".svc.cluster.local", ".cluster.local"),
        description="host suffixes of databases inside the tenant's network",
    )


class Waiver(Model):
    """A named check excused for a reason, by someone, until a date. Never silently green."""

    check: str = Field(description="check id, e.g. `ttl-is-low[shop.example.com]`, or `ttl-is-low` for all subjects")
    reason: Annotated[str, Field(min_length=10)] = Field(description="why it may be missing; shown in every report")
    by: Annotated[str, Field(min_length=2)] = Field(description="who answers for it")
    until: date = Field(description="last day on which it has force")


class Migration(Model):
    """One configured move: a source, a target, apps, databases, domains, policy.

    Attributes:
        directory: Folder of the file; `file:` references and relative paths start here. Not part of the digest.
    """

    version: Literal[1] = 1
    name: Name
    source: Source
    target: Target
    apps: tuple[App, ...] = Field(description="the applications to move")
    databases: tuple[Database, ...] = ()
    domains: tuple[Domain, ...] = ()
    dns_providers: tuple[DnsProviderConfig, ...] = ()
    resolvers: tuple[Server, ...] = Field((), description="recursive resolvers to ask; public ones unless set")
    dns_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        53, description="port at which the zones' own nameservers are asked"
    )
    integrations: tuple[Integration, ...] = ()
    jobs: tuple[Job, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    watch: Watch = Watch()
    policy: Policy = Policy()
    ca_file: Path | None = Field(None, description="extra trust roots (PEM) for TLS to both sides and APIs")
    ledger: Path = Field(
        Path(".kovra/ledger.sqlite3"), description="the append-only record of runs, decisions and actions (SQLite)"
    )
    directory: Path = Field(Path(), exclude=True)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that is configured (not over secret values), as hex."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()

    def app(self, name: str) -> App:
        """The app called *name*. Validation made sure that references resolve."""
        return next(app for app in self.apps if app.name == name)

    def database(self, name: str) -> Database:
        """The database called *name*."""
        return next(database for database in self.databases if database.name == name)

    def domain(self, name: str) -> Domain:
        """The domain called *name*."""
        return next(domain for domain in self.domains if domain.name == name)

    def path(self, relative: Path) -> Path:
        """*relative* as seen from the migration file's folder."""
        return relative if relative.is_absolute() else self.directory / relative
