"""Faults of the database family. Each is one statement a person could have run by accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from kovra_checks.lab.faults.base import Fault

if TYPE_CHECKING:
    from kovra_checks.lab.postgres import PgServer
    from kovra_checks.lab.world import World

__all__ = ["FAULTS"]


def _on_target(*statements: LiteralString) -> Callable[[World], None]:
    return lambda world: _run(world.target_db, statements)


def _on_source(*statements: LiteralString) -> Callable[[World], None]:
    return lambda world: _run(world.source_db, statements)


def _run(server: PgServer, statements: tuple[LiteralString, ...]) -> None:
    """As superuser, past any fence."""
    with server.admin() as session:
        session.execute("SET default_transaction_read_only = off")
        for statement in statements:
            session.execute(sql.SQL(statement))


def _lift_fence_and_write(world: World) -> None:
    """The fence is lifted behind our back and a job writes at the source at once."""
    with world.source_db.admin() as session:
        session.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(world.source_db.database)
        session.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        session.execute("INSERT INTO job_runs (job) VALUES ('after the fence')")


def _remove_archives(world: World) -> None:
    """Somebody made room on the disk."""
    for archive in world.directory.rglob("*.dump"):
        archive.unlink()


FAULTS: tuple[Fault, ...] = (
    Fault(
        name="rows-missing",
        breaks="Rows of one table are missing on the target after the import.",
        stage="database",
        checks=("row-counts-match",),
        inject=_on_target("DELETE FROM reviews WHERE stars = 5"),
        remedy="Import again",
    ),
    Fault(
        name="critical-query-differs",
        breaks="A price on the target is not the source's, with as many rows as before.",
        stage="database",
        checks=("critical-queries-match",),
        inject=_on_target("UPDATE products SET price_cents = price_cents + 1 WHERE id = 7"),
        remedy="who changed them on the target",
    ),
    Fault(
        name="sequence-behind",
        breaks="A sequence on the target stands where its table's ids are in use.",
        stage="database",
        checks=("sequences-are-ahead",),
        inject=_on_target("SELECT setval(pg_get_serial_sequence('orders', 'id'), 17)"),
        remedy="setval",
    ),
    Fault(
        name="index-missing",
        breaks="An index of the source is missing on the target.",
        stage="database",
        checks=("schema-matches",),
        inject=_on_target("DROP INDEX orders_customer"),
        remedy="Create the index",
    ),
    Fault(
        name="trigger-disabled",
        breaks="A trigger was left disabled on the target.",
        stage="database",
        checks=("schema-matches",),
        inject=_on_target("ALTER TABLE orders DISABLE TRIGGER orders_touch"),
        remedy="trigger",
    ),
    Fault(
        name="extension-missing",
        breaks="The source got an extension that the target lacks.",
        stage="database",
        checks=("extensions-match",),
        inject=_on_source("CREATE EXTENSION IF NOT EXISTS pgcrypto"),
        remedy="CREATE EXTENSION",
    ),
    Fault(
        name="setting-lost",
        breaks="A setting kept with the source's database is not kept with the target's.",
        stage="database",
        checks=("settings-match",),
        inject=lambda world: _run(
            world.target_db,
            ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET intervalstyle', current_database()); END $$",),
        ),
        remedy="ALTER DATABASE",
    ),
    Fault(
        name="statistics-stale",
        breaks="The target's planner knows nothing of its largest table.",
        stage="database",
        checks=("statistics-are-fresh",),
        inject=_on_target("DELETE FROM pg_catalog.pg_statistic WHERE starelid = 'public.order_items'::regclass"),
        remedy="ANALYZE",
    ),
    Fault(
        name="large-object-changed",
        breaks="A large object on the target has other contents.",
        stage="database",
        checks=("large-objects-match",),
        inject=_on_target("SELECT lo_put(min(oid), 0, 'Xontract') FROM pg_largeobject_metadata"),
        remedy="Import again",
    ),
    Fault(
        name="source-still-writes",
        breaks="The fence is lifted behind our back and a job goes on writing at the source.",
        stage="cutover",
        checks=("nothing-was-lost", "writes-are-fenced"),
        inject=_lift_fence_and_write,
        verdict="ROLLED-BACK",
        remedy="who lifted the fence",
    ),
    Fault(
        name="rows-lost-after-sync",
        breaks="Rows vanish from the target after the final copy.",
        stage="cutover",
        checks=("nothing-was-lost",),
        inject=_on_target("DELETE FROM reviews WHERE stars = 1"),
        verdict="ROLLED-BACK",
        remedy="the source still has everything",
    ),
    Fault(
        name="source-not-quiet",
        breaks="Something still writes to the old database after the soak.",
        stage="decommission",
        checks=("source-is-quiet",),
        inject=_on_source("INSERT INTO job_runs (job) VALUES ('forgotten')"),
        remedy="pg_stat_activity",
    ),
    Fault(
        name="backup-removed",
        breaks="The archives of the old database were deleted.",
        stage="decommission",
        checks=("backup-is-kept",),
        inject=_remove_archives,
        remedy="backup",
    ),
)
