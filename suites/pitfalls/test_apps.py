"""What goes wrong with apps and external access after most moves."""

from kovra_checks import App, Check, Domain, Migration, check
from kovra_checks.observations import platform
from kovra_checks.rules import apps
from kovra_checks.rules import platform as rule


@check("database-url-is-internal")
def test_database_url_is_internal(migration: Migration, app: App) -> Check:
    connections = platform.ConnectionTarget(app.name)
    suffixes = migration.policy.internal_database_suffixes
    return Check(connections, lambda seen: apps.database_url_is_internal(seen[connections], suffixes))


@check("app-does-not-restart")
def test_app_does_not_restart(app: App) -> Check:
    target = platform.TargetAppFacts(app.name)
    return Check(target, lambda seen: apps.does_not_restart(seen[target]))


@check("uploads-are-persistent")
def test_uploads_are_persistent(app: App) -> Check:
    table = platform.VariableParity(app.name)
    return Check(table, lambda seen: apps.uploads_are_persistent(seen[table], app))


@check("certificate-issuance-progresses")
def test_certificate_issuance_progresses(domain: Domain) -> Check:
    access = platform.TargetDomainState(domain.app, domain.name)
    return Check(access, lambda seen: rule.certificate_progresses(seen[access], domain, now=seen.at(access)))
