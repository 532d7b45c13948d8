"""The seams: small protocols behind which platforms, DNS providers and database moves are interchangeable files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = [
    "DnsProvider", "KovraApp", "KovraCloud", "KovraDatabase", "KovraDomain", "KovraJob", "RecordChange", "RecordSet",
    "SourceApp", "SourceDatabase", "SourceDomain", "SourcePlatform", "Tenant", "Variable",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable.

    Attributes:
        name: Its name.
        value: Its value, a secret that stays in memory; None when the platform will not tell (sealed, masked).
        origin: `config` set by a person, `addon` by an add-on, `platform` injected at run time.
    """

    name: str
    value: str | None = field(repr=False)
    origin: Literal["config", "addon", "platform"] = "config"


@dataclass(frozen=True, slots=True)
class SourceApp:
    """An app as the source platform describes it. None where the platform does not say."""

    name: str
    region: str | None
    commit: str | None
    maintenance: bool
    processes: Mapping[str, int]
    commands: Mapping[str, str]
    web_url: str | None
    repository: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class SourceDomain:
    """A custom domain at the source."""

    name: str
    dns_target: str | None
    certificate_status: str | None


@dataclass(frozen=True, slots=True)
class SourceDatabase:
    """A database at the source. `last_backup` is ISO 8601, None when there is none."""

    name: str
    version: str | None
    size_bytes: int | None
    last_backup: str | None


class SourcePlatform(Protocol):
    """Where the workload runs today. Every method raises CouldNotLook (reading) or ActionFailed (changing)."""

    def app(self, name: str) -> SourceApp:
        """The app's facts."""

    def apps(self) -> Sequence[str]:
        """Names of all apps the token can see, sorted, paged to the end."""

    def variables(self, app: str) -> Mapping[str, Variable]:
        """All variables by name. A value that cannot be read is None, never left out."""

    def domains(self, app: str) -> Sequence[SourceDomain]:
        """Custom domains, sorted by name."""

    def databases(self, app: str) -> Sequence[SourceDatabase]:
        """Databases attached to the app, sorted by name."""

    def capture_backup(self, app: str, database: str) -> str:
        """Take a backup, wait until it is complete, return its id."""

    def scale(self, app: str, processes: Mapping[str, int]) -> Mapping[str, int]:
        """Set process counts; returns the counts that were there before."""

    def set_maintenance(self, app: str, *, on: bool) -> None:
        """Switch the platform's maintenance page."""

    def remove_domain(self, app: str, domain: str) -> None:
        """Detach the custom domain (decommission)."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """`status` as Kovra says it; only `ready` is documented."""

    name: str
    status: str
    plan: str | None
    database_quota: int | None
    databases: int | None


@dataclass(frozen=True, slots=True)
class KovraApp:
    """An application on Kovra Cloud."""

    name: str
    status: str
    repository: str | None
    branch: str | None
    commit: str | None
    health_path: str | None
    generated_host: str | None
    restarts: int | None


@dataclass(frozen=True, slots=True)
class KovraDatabase:
    """A managed database. `url` is a secret; None until `ready`. `status` is the documented set or an unknown word."""

    name: str
    status: str
    version: str | None
    url: str | None = field(repr=False)
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class KovraDomain:
    """External access of an app: `status` as labelled (DNS Pending … TLS Ready)."""

    name: str
    status: str
    target: str | None
    tls: bool
    retry_at: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class KovraJob:
    """A CronJob on Kovra Cloud."""

    name: str
    schedule: str
    timezone: str
    command: str
    suspended: bool


class KovraCloud(Protocol):
    """Kovra's control API, behind the endpoint map. Reading raises CouldNotLook, changing raises ActionFailed.

    Getters of one thing return None when Kovra says it does not exist (404 on a readable parent), and raise
    when they cannot know.
    """

    def tenant(self) -> Tenant: ...
    def app(self, name: str) -> KovraApp | None: ...
    def create_app(self, name: str, *, repository: str, branch: str, health_path: str, port: int) -> KovraApp: ...
    def delete_app(self, name: str) -> None: ...
    def variables(self, app: str) -> Mapping[str, Variable]: ...
    def set_variables(self, app: str, values: Mapping[str, str | None]) -> None:
        """Set each value; None removes the variable."""

    def deploy(self, app: str, *, commit: str | None) -> str:
        """Start a deployment; returns its id."""

    def deployment_status(self, app: str, deployment: str) -> str: ...
    def database(self, name: str) -> KovraDatabase | None: ...
    def create_database(self, name: str, *, version: str | None) -> KovraDatabase: ...
    def delete_database(self, name: str) -> None: ...
    def domains(self, app: str) -> Sequence[KovraDomain]: ...
    def attach_domain(self, app: str, domain: str, *, tls: bool) -> KovraDomain: ...
    def detach_domain(self, app: str, domain: str) -> None: ...
    def jobs(self, app: str) -> Sequence[KovraJob]: ...
    def put_job(self, app: str, job: KovraJob) -> None: ...
    def delete_job(self, app: str, name: str) -> None: ...
    def git_providers(self) -> Sequence[str]:
        """Connected Git providers, e.g. `github`."""


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A DNS record set (RFC 2181 section 5): owner name without the root dot, TTL, values as text, sorted."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A replacement at one name. `before` is what the plan saw (a prerequisite of the update); `after` is wanted."""

    name: str
    before: tuple[RecordSet, ...]
    after: tuple[RecordSet, ...]


class DnsProvider(Protocol):
    """Who changes records in a zone."""

    def current(self, zone: str, name: str) -> tuple[RecordSet, ...]:
        """The record sets at *name* now (address, CNAME, HTTPS types), from the server that takes changes."""

    def change(self, zone: str, change: RecordChange) -> None:
        """Apply, only if the zone still holds `change.before`. Raises ActionFailed otherwise."""


JsonDict = dict[str, Any]
