"""Questions to the control APIs of both sides, and their answers. Apps and databases are named as in the migration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kovra_checks.outcome import Question

__all__ = [
    "Connection", "ConnectionTarget", "Connections", "DatabaseFacts", "DomainFacts", "GitProviders", "JobFacts", "Jobs",
    "Process", "Processes", "Providers", "SourceAppFacts", "SourceFacts", "SourceProcesses", "TargetAppFacts",
    "TargetDatabaseState", "TargetDomainState", "TargetFacts", "TargetJobs", "TenantFacts", "TenantState", "UrlTraits",
    "VariableParity", "VariableSeen", "VariableTable",
]  # fmt: skip

Origin = Literal["config", "addon", "platform"]


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The tenant on Kovra Cloud.

    Attributes:
        status: As Kovra says it; only `ready` is documented.
        plan: None when Kovra does not say.
        database_quota: None when Kovra does not say (or the plan has no limit).
        databases: How many exist; None when Kovra does not say.
    """

    name: str
    status: str
    plan: str | None
    database_quota: int | None
    databases: int | None


@dataclass(frozen=True, slots=True)
class TenantState(Question[TenantFacts]):
    """How is the tenant?"""

    tenant: str
    kind: ClassVar[str] = "tenant"
    answer_type: ClassVar[type] = TenantFacts


@dataclass(frozen=True, slots=True)
class Providers:
    """Git providers connected to Kovra, sorted, e.g. `github`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GitProviders(Question[Providers]):
    """Which Git providers are connected?"""

    tenant: str
    kind: ClassVar[str] = "git-providers"
    answer_type: ClassVar[type] = Providers


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """An app at the source. None where the platform does not say.

    Attributes:
        commit: The commit that runs.
    """

    name: str
    commit: str | None
    maintenance: bool
    repository: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class SourceAppFacts(Question[SourceFacts]):
    """What runs at the source?"""

    app: str
    kind: ClassVar[str] = "source-app"
    answer_type: ClassVar[type] = SourceFacts


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """An app on Kovra Cloud. All None but `name` and `exists` when it does not exist.

    Attributes:
        restarts: Since the last deployment.
    """

    name: str
    exists: bool
    status: str | None = None
    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    health_path: str | None = None
    generated_host: str | None = None
    restarts: int | None = None


@dataclass(frozen=True, slots=True)
class TargetAppFacts(Question[TargetFacts]):
    """What runs on Kovra Cloud?"""

    app: str
    kind: ClassVar[str] = "target-app"
    answer_type: ClassVar[type] = TargetFacts


@dataclass(frozen=True, slots=True)
class UrlTraits:
    """What a URL reveals without its secrets. None where it has no such part."""

    scheme: str
    host: str | None
    port: int | None
    sslmode: str | None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A managed database. `status` is None when it does not exist; `url` is None until it is ready."""

    name: str
    status: str | None
    version: str | None = None
    error_message: str | None = None
    url: UrlTraits | None = None


@dataclass(frozen=True, slots=True)
class TargetDatabaseState(Question[DatabaseFacts]):
    """How is the managed database?"""

    database: str
    kind: ClassVar[str] = "target-database"
    answer_type: ClassVar[type] = DatabaseFacts


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """External access on Kovra Cloud. `status` is None when the domain is not attached to the app.

    Attributes:
        retry_at: When Kovra tries again, as it says it (ISO 8601).
        message: What went wrong, in Kovra's words.
    """

    name: str
    status: str | None
    target: str | None = None
    tls: bool = False
    retry_at: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class TargetDomainState(Question[DomainFacts]):
    """Is the domain attached, and how far is its certificate?"""

    app: str
    domain: str
    kind: ClassVar[str] = "target-domain"
    answer_type: ClassVar[type] = DomainFacts


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A CronJob on Kovra Cloud."""

    name: str
    schedule: str
    timezone: str
    command: str
    suspended: bool


@dataclass(frozen=True, slots=True)
class Jobs:
    """All CronJobs of an app, sorted by name."""

    jobs: tuple[JobFacts, ...]


@dataclass(frozen=True, slots=True)
class TargetJobs(Question[Jobs]):
    """Which jobs are scheduled on Kovra Cloud?"""

    app: str
    kind: ClassVar[str] = "target-jobs"
    answer_type: ClassVar[type] = Jobs


@dataclass(frozen=True, slots=True)
class Process:
    """A process type at the source."""

    type: str
    quantity: int
    command: str


@dataclass(frozen=True, slots=True)
class Processes:
    """All process types of an app, sorted by type."""

    processes: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class SourceProcesses(Question[Processes]):
    """Which processes run at the source?"""

    app: str
    kind: ClassVar[str] = "source-processes"
    answer_type: ClassVar[type] = Processes


@dataclass(frozen=True, slots=True)
class VariableSeen:
    """A variable on one side, without its value.

    Attributes:
        digest: Keyed digest of the value, equal for equal values within a run; None when the value cannot be read.
        origin: Who put it there.
        url: Set when the value is a URL.
        old_hosts: Hosts in the value that belong to the source, sorted.
        private_hosts: Names in the value that resolve only inside the source platform, sorted.
    """

    name: str
    digest: str | None
    origin: Origin = "config"
    url: UrlTraits | None = None
    old_hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableTable:
    """The variables of both sides, each sorted by name.

    Attributes:
        given: Name and digest of the values that the migration file sets on the target.
    """

    source: tuple[VariableSeen, ...]
    target: tuple[VariableSeen, ...]
    given: dict[str, str]


@dataclass(frozen=True, slots=True)
class VariableParity(Question[VariableTable]):
    """Which variables exist on either side, and are their values equal?"""

    app: str
    kind: ClassVar[str] = "variables"
    answer_type: ClassVar[type] = VariableTable


@dataclass(frozen=True, slots=True)
class Connection:
    """Where one database variable of the target app points.

    Attributes:
        present: Whether the variable exists.
        is_managed: Whether its value is the managed database's URL; None when the value cannot be read.
        url: What the value reveals; None when it is absent, unreadable or no URL.
        managed: What the managed database's own URL reveals.
    """

    variable: str
    database: str
    present: bool
    is_managed: bool | None
    url: UrlTraits | None
    managed: UrlTraits | None


@dataclass(frozen=True, slots=True)
class Connections:
    """One for each database variable, sorted by variable."""

    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class ConnectionTarget(Question[Connections]):
    """Where do the app's database variables point on the target?"""

    app: str
    kind: ClassVar[str] = "connection-target"
    answer_type: ClassVar[type] = Connections
