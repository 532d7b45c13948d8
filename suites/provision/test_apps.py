"""Does everything exist on Kovra Cloud, built from what runs at the source?"""

from kovra_checks import App, Check, Database, Domain, check
from kovra_checks.observations import platform, postgres
from kovra_checks.rules import apps
from kovra_checks.rules import platform as rule


@check("managed-database-is-ready")
def test_managed_database_is_ready(database: Database) -> Check:
    managed = platform.TargetDatabaseState(database.name)
    source = postgres.ServerFacts(database.name, "source")
    return Check((managed, source), lambda seen: rule.database_is_ready(seen[managed], database, seen[source].major))


@check("app-built-from-same-commit")
def test_app_built_from_same_commit(app: App) -> Check:
    source, target = platform.SourceAppFacts(app.name), platform.TargetAppFacts(app.name)
    return Check((source, target), lambda seen: apps.is_same_build(seen[source], seen[target], app))


@check("health-path-matches-source")
def test_health_path_matches_source(app: App) -> Check:
    target = platform.TargetAppFacts(app.name)
    return Check(target, lambda seen: apps.health_path_matches(seen[target], app))


@check("database-url-is-target")
def test_database_url_is_target(app: App) -> Check:
    connections = platform.ConnectionTarget(app.name)
    return Check(connections, lambda seen: apps.database_url_is_target(seen[connections]))


@check("domain-is-attached")
def test_domain_is_attached(domain: Domain) -> Check:
    access = platform.TargetDomainState(domain.app, domain.name)
    return Check(access, lambda seen: rule.domain_is_attached(seen[access], domain))
