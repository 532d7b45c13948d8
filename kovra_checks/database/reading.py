"""Readings of one database within one session: counts, sequences, queries, large objects.

Probes take them from a session of their own; an export takes the same readings inside the snapshot it dumps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

from psycopg import sql

from kovra_checks.database.session import Session
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.postgres import CriticalAnswer, LargeObjects, Position

__all__ = ["answer_query", "count_rows", "read_large_objects", "read_sequences"]

T = TypeVar("T")
BATCH = 100
SHOWN_ROWS, SHOWN_CHARACTERS = 5, 120

TABLES = """
    SELECT format('%%I.%%I', n.nspname, c.relname), n.nspname, c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%s) AND c.relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1"""

# The column of a sequence: the one that owns it (serial, identity), or the one whose default draws from it.
SEQUENCES = """
    SELECT format('%%I.%%I', n.nspname, c.relname), n.nspname, c.relname, s.seqincrement,
           o.nspname, o.relname, o.attname
    FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT tn.nspname, t.relname, a.attname FROM pg_catalog.pg_depend d
        LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
        JOIN pg_catalog.pg_class t ON t.oid = CASE WHEN f.oid IS NULL THEN d.refobjid ELSE f.adrelid END
        JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
             AND a.attnum = CASE WHEN f.oid IS NULL THEN d.refobjsubid ELSE f.adnum END
        WHERE t.relkind IN ('r', 'p') AND format_type(a.atttypid, NULL) IN ('smallint', 'integer', 'bigint')
          AND ((d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)
               OR (f.oid IS NOT NULL AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid))
        ORDER BY 1, 2, 3 LIMIT 1) o ON true
    WHERE n.nspname = ANY(%s)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                      WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
    ORDER BY 1"""

# Summed per object, so that no object's whole content travels; lo_get needs SELECT on the object, which owners have.
LARGE_OBJECTS = """
    SELECT oid::text || ':' || pg_catalog.md5(pg_catalog.lo_get(oid)) FROM pg_catalog.pg_largeobject_metadata
    ORDER BY oid::bigint"""


def count_rows(connection: Session, schemas: list[str]) -> dict[str, int]:
    """Exact rows by table name. Partitions count for themselves: ONLY of a partitioned table is always 0."""
    tables = connection.execute(TABLES, (schemas,)).fetchall()
    counted: dict[str, int] = {}
    for batch in _batches(tables):
        parts = [
            sql.SQL("SELECT {}, count(*) FROM ONLY {}").format(sql.Literal(name), sql.Identifier(schema, table))
            for name, schema, table in batch
        ]
        counted.update({str(name): int(rows) for name, rows in connection.execute(sql.SQL(" UNION ALL ").join(parts))})
    return dict(sorted(counted.items()))


def read_sequences(connection: Session, schemas: list[str]) -> dict[str, Position]:
    """Where each sequence stands. Sequences live outside snapshots: this is their position now."""
    positions: dict[str, Position] = {}
    for batch in _batches(connection.execute(SEQUENCES, (schemas,)).fetchall()):
        parts = []
        for name, schema, sequence, increment, *column in batch:
            used: sql.Composable = sql.SQL("NULL::bigint")
            if column[2] is not None:
                furthest = sql.SQL("max" if increment > 0 else "min")
                used = sql.SQL("(SELECT {}({})::bigint FROM {})").format(
                    furthest, sql.Identifier(column[2]), sql.Identifier(*column[:2])
                )
            parts.append(
                sql.SQL("SELECT {}, last_value, is_called, {}::bigint, {}::text, {} FROM {}").format(
                    sql.Literal(name), sql.Literal(increment),
                    sql.Literal(None if column[2] is None else ".".join(column)), used,
                    sql.Identifier(schema, sequence),
                )
            )  # fmt: skip
        for name, *values in connection.execute(sql.SQL(" UNION ALL ").join(parts)):
            positions[str(name)] = Position(*values)
    return dict(sorted(positions.items()))


def answer_query(connection: Session, name: str, query: str) -> CriticalAnswer:
    """The rows of *query* in text form. Raises CouldNotLook if it is not one query that returns rows."""
    cursor = connection.cursor()
    cursor.execute(query.strip().rstrip(";").encode())
    result = cursor.pgresult
    if result is None or cursor.description is None or cursor.nextset():
        raise CouldNotLook(
            f"ask the critical query {name}",
            seen="it is not one statement that returns rows",
            remedy=f"write databases.….critical_queries.{name} as one SELECT",
        )
    rows = sorted(
        (
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        ),
        key=lambda row: tuple((value is not None, value or "") for value in row),
    )
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    shown = tuple(
        tuple(None if value is None else value[:SHOWN_CHARACTERS] for value in row) for row in rows[:SHOWN_ROWS]
    )
    return CriticalAnswer(tuple(column.name for column in cursor.description), len(rows), digest, shown)


def read_large_objects(connection: Session) -> LargeObjects:
    """All large objects by id and content."""
    whole, count = hashlib.sha256(), 0
    for (told,) in connection.execute(LARGE_OBJECTS):
        whole.update(f"{told}\n".encode())
        count += 1
    return LargeObjects(count, whole.hexdigest())


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
