"""Answers the questions to the control APIs. Values stay here: answers hold digests and traits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations import platform
from kovra_checks.outcome import Question
from kovra_checks.platforms.traits import old_suffixes, seen, url_traits

__all__ = ["ANSWERERS"]


def _tenant(_question: platform.TenantState, access: Access) -> platform.TenantFacts:
    tenant = access.kovra().tenant()
    return platform.TenantFacts(tenant.name, tenant.status, tenant.plan, tenant.database_quota, tenant.databases)


def _git_providers(_question: platform.GitProviders, access: Access) -> platform.Providers:
    return platform.Providers(tuple(access.kovra().git_providers()))


def _source_app(question: platform.SourceAppFacts, access: Access) -> platform.SourceFacts:
    app = access.source().app(access.migration.app(question.app).source)
    return platform.SourceFacts(app.name, app.commit, app.maintenance, app.repository, app.branch)


def _source_processes(question: platform.SourceProcesses, access: Access) -> platform.Processes:
    app = access.source().app(access.migration.app(question.app).source)
    if not app.processes:
        raise CouldNotLook(
            f"processes of {app.name} at the source",
            seen="the platform names no process type",
            remedy="look by hand which processes run there, and waive the check with your name and reason",
        )
    return platform.Processes(
        tuple(
            platform.Process(kind, count, app.commands.get(kind, "")) for kind, count in sorted(app.processes.items())
        )
    )


def _target_app(question: platform.TargetAppFacts, access: Access) -> platform.TargetFacts:
    name = access.migration.app(question.app).target_name
    app = access.kovra().app(name)
    if app is None:
        return platform.TargetFacts(name, exists=False)
    return platform.TargetFacts(
        name=name,
        exists=True,
        status=app.status,
        repository=app.repository,
        branch=app.branch,
        commit=app.commit,
        health_path=app.health_path,
        generated_host=app.generated_host,
        restarts=app.restarts,
    )


def _target_database(question: platform.TargetDatabaseState, access: Access) -> platform.DatabaseFacts:
    name = access.migration.database(question.database).target_name
    found = access.kovra().database(name)
    if found is None:
        return platform.DatabaseFacts(name, None)
    return platform.DatabaseFacts(name, found.status, found.version, found.error_message, url_traits(found.url))


def _target_domain(question: platform.TargetDomainState, access: Access) -> platform.DomainFacts:
    app = access.migration.app(question.app).target_name
    found = next((one for one in access.kovra().domains(app) if one.name == question.domain), None)
    if found is None:
        return platform.DomainFacts(question.domain, None)
    return platform.DomainFacts(found.name, found.status, found.target, found.tls, found.retry_at, found.message)


def _target_jobs(question: platform.TargetJobs, access: Access) -> platform.Jobs:
    jobs = access.kovra().jobs(access.migration.app(question.app).target_name)
    return platform.Jobs(
        tuple(platform.JobFacts(job.name, job.schedule, job.timezone, job.command, job.suspended) for job in jobs)
    )


def _variables(question: platform.VariableParity, access: Access) -> platform.VariableTable:
    app, suffixes, secrets = access.migration.app(question.app), old_suffixes(access.migration), access.secrets
    source = access.source().variables(app.source)
    target = access.kovra().variables(app.target_name)
    return platform.VariableTable(
        source=tuple(seen(variable, secrets, suffixes) for _, variable in sorted(source.items())),
        target=tuple(seen(variable, secrets, suffixes) for _, variable in sorted(target.items())),
        given={
            name: secrets.digest(secrets.resolve(reference)) for name, reference in sorted(app.variables.set.items())
        },
    )


def _connections(question: platform.ConnectionTarget, access: Access) -> platform.Connections:
    app = access.migration.app(question.app)
    variables = access.kovra().variables(app.target_name)
    found: list[platform.Connection] = []
    for name, database in sorted(app.databases.items()):
        managed = access.database_url(database, "target")
        variable = variables.get(name)
        value = None if variable is None else variable.value
        found.append(
            platform.Connection(
                variable=name,
                database=database,
                present=variable is not None,
                is_managed=None if value is None else value == managed,
                url=url_traits(value),
                managed=url_traits(managed),
            )
        )
    return platform.Connections(tuple(found))


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {
    platform.TenantState: _tenant,
    platform.GitProviders: _git_providers,
    platform.SourceAppFacts: _source_app,
    platform.SourceProcesses: _source_processes,
    platform.TargetAppFacts: _target_app,
    platform.TargetDatabaseState: _target_database,
    platform.TargetDomainState: _target_domain,
    platform.TargetJobs: _target_jobs,
    platform.VariableParity: _variables,
    platform.ConnectionTarget: _connections,
}
