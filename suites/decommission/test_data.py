"""The old database before it goes."""

from kovra_checks import Check, Database, Migration, check
from kovra_checks.observations import postgres
from kovra_checks.observations.ledger import ActionFacts
from kovra_checks.rules import database as copies
from kovra_checks.rules import fence


@check("source-is-quiet")
def test_source_is_quiet(database: Database) -> Check:
    synced, state = ActionFacts(f"final-sync[{database.name}]"), postgres.FenceState(database.name)
    counts = postgres.RowCountsOf(database.name, "source")
    return Check((synced, state, counts), lambda seen: fence.is_quiet(seen[synced], seen[state], seen[counts]))


@check("backup-is-kept")
def test_backup_is_kept(migration: Migration, database: Database) -> Check:
    kept = postgres.BackupsOf(database.name)
    limit = migration.policy.backup_max_age
    return Check(kept, lambda seen: copies.backup_is_kept(seen[kept], seen.at(kept), limit))
