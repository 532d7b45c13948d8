"""The actions of the platforms family, in order."""

from __future__ import annotations

from collections.abc import Iterable

from kovra_checks.actions.base import Action
from kovra_checks.actions.deploy import DeployApplication
from kovra_checks.actions.handover import HandOverJob, RetireSource
from kovra_checks.actions.provision import (
    AttachDomain,
    CreateApplication,
    CreateDatabase,
    CreateJob,
)
from kovra_checks.actions.variables import copy_variables, point_app_at_database
from kovra_checks.migration import Migration

__all__ = ["actions", "cutover_actions"]


def actions(migration: Migration, stage: str) -> tuple[Action, ...]:
    """Actions of *stage*; the cutover's are ordered by the catalogue and come from `cutover_actions`."""
    if stage == "provision":
        return tuple(_provision(migration))
    if stage == "decommission":
        return tuple(
            RetireSource(app, tuple(domain for domain in migration.domains if domain.app == app.name))
            for app in migration.apps
        )
    return ()


def cutover_actions(migration: Migration) -> tuple[Action, ...]:
    """After the final sync and before the records are swapped."""
    return tuple(HandOverJob(job, migration.app(job.app)) for job in migration.jobs)


def _provision(migration: Migration) -> Iterable[Action]:
    """A deployment comes last: it takes the variables as they are."""
    for database in migration.databases:
        if database.target_url is None:  # one given by URL is not ours to create
            yield CreateDatabase(database)
    yield from (CreateApplication(app) for app in migration.apps)
    yield from (copy_variables(app) for app in migration.apps)
    yield from (point_app_at_database(app) for app in migration.apps if app.databases)
    yield from (AttachDomain(domain, migration.app(domain.app)) for domain in migration.domains)
    yield from (CreateJob(job, migration.app(job.app)) for job in migration.jobs)
    yield from (DeployApplication(app) for app in migration.apps)
