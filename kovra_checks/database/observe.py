"""Probes of databases: each opens a session, reads, and closes it. None of them writes or judges."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kovra_checks.access import Access
from kovra_checks.database.catalog import read_catalog
from kovra_checks.database.fence import sample_fence
from kovra_checks.database.reading import answer_query, count_rows, read_large_objects, read_sequences
from kovra_checks.database.session import moving_schemas, session
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations import postgres
from kovra_checks.outcome import Question

__all__ = ["ANSWERERS", "file_digest"]

# Settings that change what an application reads or writes, as a fresh session finds them.
EFFECTIVE = (
    "DateStyle", "IntervalStyle", "TimeZone", "bytea_output", "default_text_search_config",
    "default_transaction_isolation", "search_path", "standard_conforming_strings",
)  # fmt: skip


def server(question: postgres.ServerFacts, access: Access) -> postgres.Server:
    """Version, encoding, collation, settings and extensions."""
    with session(access, question.database, question.side, pinned=False) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int, pg_encoding_to_char(encoding), datcollate, datctype, "
            "pg_database_size(datname), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        settings = {name: str(_one(connection.execute("SELECT current_setting(%s)", (name,)))) for name in EFFECTIVE}
        kept = connection.execute(
            "SELECT unnest(setconfig) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole "
            "WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) "
            "AND (r.rolname = current_user OR (setrole = 0 AND setdatabase <> 0)) ORDER BY setdatabase, setrole"
        ).fetchall()
        extensions = connection.execute(
            "SELECT extname, extversion, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
            "WHERE extname <> 'plpgsql' ORDER BY 1"
        ).fetchall()
        return postgres.Server(
            version=row[0], encoding=row[1], collate=row[2], ctype=row[3], size_bytes=row[4], tls=bool(row[5]),
            settings=settings, kept=dict(sorted(str(line).partition("=")[::2] for (line,) in kept)),
            extensions=tuple(postgres.Extension(*each) for each in extensions),
        )  # fmt: skip


def catalog(question: postgres.CatalogOf, access: Access) -> postgres.Catalog:
    """Every object of the schemas that move."""
    database = access.migration.database(question.database)
    with session(access, question.database, question.side, limit=_long(access), qualified=True) as connection:
        objects = read_catalog(connection, moving_schemas(connection, database))
        return postgres.Catalog(connection.info.server_version // 10000, objects)


def row_counts(question: postgres.RowCountsOf, access: Access) -> postgres.RowCounts:
    """Exact counts, all from one snapshot."""
    database = access.migration.database(question.database)
    with session(access, question.database, question.side, limit=_long(access)) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return postgres.RowCounts(count_rows(connection, moving_schemas(connection, database)))


def sequences(question: postgres.SequencePositionsOf, access: Access) -> postgres.SequencePositions:
    """All sequences and the columns that live from them."""
    database = access.migration.database(question.database)
    with session(access, question.database, question.side, limit=_long(access)) as connection:
        return postgres.SequencePositions(read_sequences(connection, moving_schemas(connection, database)))


def critical_query(question: postgres.CriticalQueryAnswer, access: Access) -> postgres.CriticalAnswer:
    """The query's rows, read-only."""
    with session(access, question.database, question.side, limit=_long(access)) as connection:
        return answer_query(connection, question.query, question.sql)


def large_objects(question: postgres.LargeObjectsOf, access: Access) -> postgres.LargeObjects:
    """Ids and contents of all large objects, digested."""
    with session(access, question.database, question.side, limit=_long(access)) as connection:
        return read_large_objects(connection)


def statistics(question: postgres.StatisticsOf, access: Access) -> postgres.Statistics:
    """What the planner knows of the target's tables."""
    database = access.migration.database(question.database)
    with session(access, question.database, "target") as connection:
        rows = connection.execute(
            "SELECT format('%%I.%%I', n.nspname, c.relname), c.reltuples::float8, "
            "(SELECT count(*) FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = ANY(%s) AND c.relkind = 'r' ORDER BY 1",
            (moving_schemas(connection, database),),
        ).fetchall()
        return postgres.Statistics({name: postgres.TableStatistics(known, rows) for name, rows, known in rows})


def backups(question: postgres.BackupsOf, access: Access) -> postgres.Backups:
    """Our archives against their recorded checksums, and the platform's own backups."""
    archives = []
    for action in (f"final-sync[{question.database}]", f"export-database[{question.database}]"):
        record = access.records.applied(action)
        if record is not None and "archive" in record.facts:
            name = str(record.facts["archive"])
            archives.append(
                postgres.ArchiveState(
                    action=action, name=name, written=datetime.fromisoformat(record.at),
                    recorded=str(record.facts.get("sha256", "")), found=file_digest(access.work / name),
                )
            )  # fmt: skip
    platform: dict[str, str | None] = {}
    problem = None
    try:
        apps = [app for app in access.migration.apps if question.database in app.databases.values()]
        for app in apps:
            platform.update({each.name: each.last_backup for each in access.source().databases(app.source)})
    except CouldNotLook as error:
        problem = str(error)  # the archives may be enough: the rule decides
    return postgres.Backups(tuple(archives), dict(sorted(platform.items())), problem)


def fence(question: postgres.FenceState, access: Access) -> postgres.Fence:
    """Settings, sessions and counters of the source, looked at twice."""
    return sample_fence(access, question.database)


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file as hex, None if it is not there. Raises CouldNotLook if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CouldNotLook(
            f"read the archive {path.name}",
            seen=str(error.strerror),
            remedy="look at the rights of the work folder beside the ledger",
        ) from None


def _long(access: Access) -> float:
    """Seconds a statement over whole tables may take: it is work, not a look."""
    return max(access.timeout, access.migration.policy.action_deadline.total_seconds())


def _one(cursor: Any) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {
    postgres.BackupsOf: backups,
    postgres.CatalogOf: catalog,
    postgres.CriticalQueryAnswer: critical_query,
    postgres.FenceState: fence,
    postgres.LargeObjectsOf: large_objects,
    postgres.RowCountsOf: row_counts,
    postgres.SequencePositionsOf: sequences,
    postgres.ServerFacts: server,
    postgres.StatisticsOf: statistics,
}
