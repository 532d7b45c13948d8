"""The database on Kovra Cloud against the one it came from.

The source goes on working, so the target is compared with the moment of the export wherever the ledger knows it, and
with the source as it is now where the copy was made by hand.
"""

from kovra_checks import Check, CriticalQuery, Database, check
from kovra_checks.observations import postgres
from kovra_checks.observations.ledger import ActionFacts
from kovra_checks.rules import database as copies
from kovra_checks.rules import rows, schema, sequences


@check("export-is-clean")
def test_export_is_clean(database: Database) -> Check:
    exported, kept = ActionFacts(f"export-database[{database.name}]"), postgres.BackupsOf(database.name)
    return Check((exported, kept), lambda seen: copies.export_is_clean(seen[exported], seen[kept]))


@check("import-is-clean")
def test_import_is_clean(database: Database) -> Check:
    exported = ActionFacts(f"export-database[{database.name}]")
    imported = ActionFacts(f"import-database[{database.name}]")
    target = postgres.CatalogOf(database.name, "target")
    return Check(
        (exported, imported, target),
        lambda seen: copies.import_is_clean(seen[exported], seen[imported], seen[target]),
    )


@check("schema-matches")
def test_schema_matches(database: Database) -> Check:
    source, target = postgres.CatalogOf(database.name, "source"), postgres.CatalogOf(database.name, "target")
    return Check((source, target), lambda seen: schema.matches(seen[source], seen[target]))


@check("row-counts-match")
def test_row_counts_match(database: Database) -> Check:
    exported, synced = ActionFacts(f"export-database[{database.name}]"), ActionFacts(f"final-sync[{database.name}]")
    source, target = postgres.RowCountsOf(database.name, "source"), postgres.RowCountsOf(database.name, "target")
    return Check(
        (exported, synced, source, target),
        lambda seen: rows.counts_match(seen[exported], seen[synced], seen[source], seen[target]),
    )


@check("critical-queries-match")
def test_critical_queries_match(critical_query: CriticalQuery) -> Check:
    name, label, sql = critical_query.database, critical_query.label, critical_query.sql
    exported, synced = ActionFacts(f"export-database[{name}]"), ActionFacts(f"final-sync[{name}]")
    source = postgres.CriticalQueryAnswer(name, "source", label, sql)
    target = postgres.CriticalQueryAnswer(name, "target", label, sql)
    return Check(
        (exported, synced, source, target),
        lambda seen: rows.answers_match(label, seen[exported], seen[synced], seen[source], seen[target]),
    )


@check("sequences-are-ahead")
def test_sequences_are_ahead(database: Database) -> Check:
    exported, synced = ActionFacts(f"export-database[{database.name}]"), ActionFacts(f"final-sync[{database.name}]")
    source = postgres.SequencePositionsOf(database.name, "source")
    target = postgres.SequencePositionsOf(database.name, "target")
    return Check(
        (exported, synced, source, target),
        lambda seen: sequences.are_ahead(seen[exported], seen[synced], seen[source], seen[target]),
    )


@check("extensions-match")
def test_extensions_match(database: Database) -> Check:
    source, target = postgres.ServerFacts(database.name, "source"), postgres.ServerFacts(database.name, "target")
    return Check((source, target), lambda seen: copies.extensions_match(seen[source], seen[target]))


@check("settings-match")
def test_settings_match(database: Database) -> Check:
    source, target = postgres.ServerFacts(database.name, "source"), postgres.ServerFacts(database.name, "target")
    return Check((source, target), lambda seen: copies.settings_match(seen[source], seen[target]))


@check("statistics-are-fresh")
def test_statistics_are_fresh(database: Database) -> Check:
    known, counts = postgres.StatisticsOf(database.name), postgres.RowCountsOf(database.name, "target")
    return Check((known, counts), lambda seen: copies.statistics_are_fresh(seen[known], seen[counts]))


@check("large-objects-match")
def test_large_objects_match(database: Database) -> Check:
    exported, synced = ActionFacts(f"export-database[{database.name}]"), ActionFacts(f"final-sync[{database.name}]")
    source, target = postgres.LargeObjectsOf(database.name, "source"), postgres.LargeObjectsOf(database.name, "target")
    return Check(
        (exported, synced, source, target),
        lambda seen: rows.large_objects_match(seen[exported], seen[synced], seen[source], seen[target]),
    )
