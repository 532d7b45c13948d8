"""Is Kovra Cloud ready to take the move?"""

from kovra_checks import Check, Migration, check
from kovra_checks.observations import platform
from kovra_checks.rules import platform as rule


@check("tenant-is-ready")
def test_tenant_is_ready(migration: Migration) -> Check:
    tenant = platform.TenantState(migration.target.tenant)
    return Check(tenant, lambda seen: rule.tenant_is_ready(seen[tenant]))


@check("database-quota-suffices")
def test_database_quota_suffices(migration: Migration) -> Check:
    tenant = platform.TenantState(migration.target.tenant)
    databases = tuple(platform.TargetDatabaseState(database.name) for database in migration.databases)
    return Check(
        (tenant, *databases),
        lambda seen: rule.quota_suffices(seen[tenant], [seen[database] for database in databases]),
    )


@check("git-provider-is-connected")
def test_git_provider_is_connected(migration: Migration) -> Check:
    providers = platform.GitProviders(migration.target.tenant)
    return Check(providers, lambda seen: rule.git_provider_is_connected(seen[providers], migration.apps))
