"""Apps on Kovra Cloud: built from what runs at the source, configured alike, stable, wired to the managed database."""

from __future__ import annotations

from collections.abc import Iterable

from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import App
from kovra_checks.observations.platform import (
    Connection,
    Connections,
    SourceFacts,
    TargetFacts,
    UrlTraits,
    VariableTable,
)
from kovra_checks.outcome import Finding

__all__ = [
    "database_url_is_internal", "database_url_is_target", "does_not_restart", "health_path_matches", "is_same_build",
    "same_commit", "uploads_are_persistent",
]  # fmt: skip

POSTGRES_SCHEMES = ("postgres", "postgresql")
CRASHED = ("crashed", "failed", "crashloopbackoff", "error")


def same_commit(one: str | None, other: str | None) -> bool:
    """Whether two commit ids, perhaps abbreviated, name the same commit."""
    if not one or not other:
        return False
    return one.startswith(other) or other.startswith(one)


def _missing(target: TargetFacts) -> list[Finding]:
    if target.exists:
        return []
    return [Finding(f"application {target.name} on Kovra Cloud (absent) == present")]


def is_same_build(source: SourceFacts, target: TargetFacts, app: App) -> list[Finding]:
    """The target is built from the repository and commit that run at the source. Raises CouldNotLook without either."""
    wanted = app.commit if app.commit is not None else source.commit
    if wanted is None:
        raise CouldNotLook(
            f"commit of {source.name} at the source",
            seen="the platform does not say which commit runs",
            remedy=f"set apps.{app.name}.commit",
        )
    if not target.exists:
        return _missing(target)
    findings: list[Finding] = []
    if not same_commit(target.commit, wanted):
        findings.append(
            Finding(
                f"commit of {target.name} on Kovra Cloud ({target.commit or 'not deployed'}) == {wanted}",
                remedy=f"deploy {wanted[:12]} on Kovra Cloud",
            )
        )
    repository = app.repository if app.repository is not None else source.repository
    if repository is not None and target.repository is not None and _plain(target.repository) != _plain(repository):
        findings.append(
            Finding(
                f"repository of {target.name} on Kovra Cloud ({target.repository}) == {repository}",
                remedy="create the application from the repository that runs at the source",
            )
        )
    return findings


def _plain(repository: str) -> str:
    return repository.lower().rstrip("/").removesuffix(".git")


def health_path_matches(target: TargetFacts, app: App) -> list[Finding]:
    """Kovra asks the health check path that the app answers."""
    if not target.exists:
        return _missing(target)
    if target.health_path is None:
        raise CouldNotLook(
            f"health check path of {target.name} on Kovra Cloud",
            seen="Kovra's API does not say it",
            remedy="name the field in target.endpoint_map (fields.app.health_path)",
        )
    if target.health_path == app.health_path:
        return []
    return [Finding(f"health check path of {target.name} on Kovra Cloud ({target.health_path}) == {app.health_path}")]


def does_not_restart(target: TargetFacts) -> list[Finding]:
    """The app has not restarted since it was deployed. Raises CouldNotLook when Kovra does not say."""
    if not target.exists:
        return _missing(target)
    if (target.status or "").lower() in CRASHED:
        return [Finding(f"status of {target.name} on Kovra Cloud ({target.status}) == running")]
    if target.restarts is None:
        raise CouldNotLook(
            f"restarts of {target.name} on Kovra Cloud",
            seen="Kovra's API does not say them",
            remedy="name the field in target.endpoint_map (fields.app.restarts)",
        )
    if target.restarts == 0:
        return []
    return [Finding(f"restarts of {target.name} since its deployment ({target.restarts}) == 0")]


def uploads_are_persistent(table: VariableTable, app: App) -> list[Finding]:
    """User uploads do not live on a disk that is thrown away, and the object storage is configured on the target."""
    if app.uploads == "none":
        return []
    if app.uploads == "disk":
        return [
            Finding(
                f"uploads of {app.name} (on the container's own disk) == object storage",
                remedy=f"move the files to object storage and set apps.{app.name}.uploads to object-storage",
            )
        ]
    if not app.upload_variables:
        return [
            Finding(
                f"variables that configure the uploads of {app.name} (none named) >= 1",
                remedy=f"name them in apps.{app.name}.upload_variables, e.g. S3_BUCKET",
            )
        ]
    there = {variable.name for variable in table.target}
    return [
        Finding(
            f"{name} of {app.name} on the target (absent) == set: uploads would go to the container's own disk",
            remedy="copy the object storage's variables and deploy",
        )
        for name in sorted(set(app.upload_variables) - there)
    ]


def database_url_is_target(connections: Connections) -> list[Finding]:
    """Each database variable holds exactly the managed database's URL."""
    findings: list[Finding] = []
    for one in connections.connections:
        wanted = f"the URL of managed database {one.database}"
        if not one.present:
            findings.append(Finding(f"{one.variable} on the target (absent) == {wanted}"))
        elif one.is_managed is None:
            findings.append(Finding(f"{one.variable} on the target (unreadable) == {wanted}", remedy=UNREADABLE))
        elif not one.is_managed:
            findings.append(Finding(f"{one.variable} on the target ({_where(one.url)}) == {wanted}"))
    return findings


def database_url_is_internal(connections: Connections, suffixes: Iterable[str]) -> list[Finding]:
    """Each database variable points at the managed database's internal name: its own host, or one below *suffixes*."""
    findings = [_outside(one, tuple(suffixes)) for one in connections.connections]
    return [finding for finding in findings if finding is not None]


UNREADABLE = "Kovra hides the value: set it once more from the managed database's page, and waive the check"


def _outside(one: Connection, suffixes: tuple[str, ...]) -> Finding | None:
    if not one.present:
        return Finding(f"{one.variable} on the target (absent) == an internal database host")
    if one.is_managed is None:
        return Finding(f"{one.variable} on the target (unreadable) == an internal database host", remedy=UNREADABLE)
    if one.url is None or one.url.host is None or one.url.scheme not in POSTGRES_SCHEMES:
        return Finding(f"{one.variable} on the target (no PostgreSQL URL) == an internal database host")
    managed = None if one.managed is None else one.managed.host
    if one.url.host == managed or any(_below(one.url.host, suffix) for suffix in suffixes):
        return None
    return Finding(
        f"database host in {one.variable} on the target ({one.url.host}) == "
        f"{managed or 'an internal service name'}: an external name times out inside the cluster"
    )


def _below(host: str, suffix: str) -> bool:
    bare = suffix.removeprefix(".")
    return host == bare or host.endswith("." + bare)


def _where(url: UrlTraits | None) -> str:
    return "no URL" if url is None else f"a URL of host {url.host}"
