"""The checklist's database family."""

from __future__ import annotations

from kovra_checks.checklist.spec import CheckSpec

__all__ = ["CHECKS"]

STEPS = "Database migration steps"
BEYOND = "beyond the guide"

CHECKS: tuple[CheckSpec, ...] = (
    CheckSpec(
        id="export-is-clean",
        title="The export ended without a complaint and its archive is whole",
        stages=("database",),
        each="database",
        guide=f"{STEPS}: dump the source in the custom format",
        remedy="Mend what pg_dump names (rights, locks, disk space) and export again.",
    ),
    CheckSpec(
        id="import-is-clean",
        title="The import ended without a complaint and left nothing invalid",
        stages=("database",),
        each="database",
        guide=f"{STEPS}: restore the dump into the managed database",
        remedy="Mend what pg_restore names (a missing extension, rights, a name in use) and import again; nothing of a "
        "failed import is kept.",
    ),
    CheckSpec(
        id="schema-matches",
        title="Tables, columns, indexes, constraints, views, functions and triggers are the same on both sides",
        stages=("database",),
        each="database",
        guide=f"{STEPS}: compare the list of tables",
        remedy="Import again if the source changed since the export. An object that only the target has came from the "
        "app's own migrations or an earlier import: remove it, or deploy the same release on both sides.",
    ),
    CheckSpec(
        id="row-counts-match",
        title="Every table has as many rows as the source had at the moment of the export",
        stages=("database",),
        each="database",
        guide=f"{STEPS}: compare the number of rows",
        remedy="Import again. If rows go missing again, see who writes to or deletes from the target.",
    ),
    CheckSpec(
        id="critical-queries-match",
        title="The query that matters most to you has the same answer on both sides",
        stages=("database",),
        each="critical_query",
        guide=f"{STEPS}: verify critical data",
        remedy="See which rows differ, find out who changed them on the target, and import again.",
    ),
    CheckSpec(
        id="rows-match",
        title="Every row has the same content on both sides",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: equal counts do not mean equal rows",
        remedy="See the keys named, and import again.",
        implemented=False,
    ),
    CheckSpec(
        id="sequences-are-ahead",
        title="Every sequence goes on behind the values that are in use",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: inserts fail on the first user's order otherwise",
        remedy="Set the sequence as the finding says, or import again.",
    ),
    CheckSpec(
        id="extensions-match",
        title="The target has every extension of the source, in no older version",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: what the schema is built on",
        remedy="Create the extension on the target as the database's owner; if that is refused, ask Kovra to allow it.",
    ),
    CheckSpec(
        id="settings-match",
        title="Encoding, collation and the settings kept with database and role are the same",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: a dump of one database leaves its settings out",
        remedy="Set on the target what the finding names (ALTER DATABASE … SET …); encoding and collation are chosen "
        "when the database is created.",
        severity="critical",
    ),
    CheckSpec(
        id="statistics-are-fresh",
        title="Every table with rows has been analysed on the target",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: a restored database has no statistics",
        remedy="Run ANALYZE on the target.",
        severity="critical",
    ),
    CheckSpec(
        id="large-objects-match",
        title="The large objects are the same on both sides",
        stages=("database",),
        each="database",
        guide=f"{BEYOND}: they are in no table's count",
        remedy="Import again from an export that has large objects.",
    ),
    CheckSpec(
        id="writes-are-fenced",
        title="The source refuses writes",
        stages=("cutover",),
        each="database",
        guide=f"{BEYOND}: users still reach the old side while the DNS change spreads",
        remedy="Roll back, see who lifted the fence or writes past it, and cut over again.",
    ),
    CheckSpec(
        id="nothing-was-lost",
        title="Nothing was written to the source after the final copy, and the target has all that was copied",
        stages=("cutover",),
        each="database",
        guide=f"{BEYOND}: no acknowledged write may vanish",
        remedy="Roll back: the source still has everything. Then find who wrote or deleted, and cut over again.",
    ),
    CheckSpec(
        id="source-is-quiet",
        title="Nobody has written to the old database since the cutover",
        stages=("decommission",),
        each="database",
        guide="Minimizing downtime: take the old side down only when nobody uses it",
        remedy="Find the session that writes (pg_stat_activity), move it to the target, and copy what it wrote.",
    ),
    CheckSpec(
        id="backup-is-kept",
        title="A backup of the old database outlives it",
        stages=("decommission",),
        each="database",
        guide=f"{BEYOND}: the way back after the source has gone",
        remedy="Take a backup of the source (pg_dump -Fc, or the platform's own), keep it safe, and look again.",
    ),
)
