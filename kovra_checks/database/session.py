"""Sessions with either side's database: pinned settings, time limits, and errors in our own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from kovra_checks.access import Access, Side
from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import Database

__all__ = ["APPLICATION", "Session", "connection_arguments", "moving_schemas", "session"]

APPLICATION = "kovra-checks"
Session = psycopg.Connection[Any]

# Text forms of values depend on these; both sides must spell alike. A database's own time limit for idle transactions
# would end a held snapshot, and row-level security would hide rows silently where `off` raises an error.
PINNED = {
    "datestyle": "ISO, YMD", "intervalstyle": "postgres", "timezone": "UTC", "extra_float_digits": "3",
    "bytea_output": "hex", "xmlbinary": "base64", "row_security": "off", "quote_all_identifiers": "off",
    "idle_in_transaction_session_timeout": "0", "lock_timeout": "10s", "jit": "off",
}  # fmt: skip


def connection_arguments(access: Access, name: str, side: Side) -> dict[str, Any]:
    """Keywords for libpq: database *name* on *side*, password included. Raises CouldNotLook for an unusable URL."""
    try:
        arguments: dict[str, Any] = conninfo_to_dict(access.database_url(name, side))
    except psycopg.ProgrammingError as error:
        raise CouldNotLook(
            f"read the connection URL of {side} database {name}",
            seen=f"libpq cannot parse it ({type(error).__name__})",
            remedy="give it as postgresql://user:password@host:port/database?sslmode=require, with % escapes",
        ) from None
    access.secrets.learn(arguments.get("password"))
    if access.ca_file is not None and str(arguments.get("sslmode", "")).startswith("verify"):
        arguments.setdefault("sslrootcert", str(access.ca_file))
    return {**arguments, "application_name": APPLICATION, "connect_timeout": max(2, round(access.timeout))}


@contextmanager
def session(
    access: Access,
    name: str,
    side: Side,
    *,
    limit: float | None = None,
    writing: bool = False,
    pinned: bool = True,
    qualified: bool = False,
) -> Iterator[Session]:
    """A session in autocommit mode that is read-only unless *writing*.

    Args:
        access: The way to the world.
        name: The database's name in the configuration.
        side: Which one.
        limit: Seconds a statement may take; the probe timeout unless given.
        writing: Leave the database's own default for read-only alone.
        pinned: Pin the settings that change how values are spelt.
        qualified: Have the server qualify every name it prints.

    Raises:
        CouldNotLook: Cannot connect, or a statement inside failed.
    """
    arguments = connection_arguments(access, name, side)
    settings = dict(PINNED) if pinned else {}
    settings["statement_timeout"] = f"{round((access.timeout if limit is None else limit) * 1000)}"
    if not writing:
        settings["default_transaction_read_only"] = "on"
    if qualified:
        settings["search_path"] = "pg_catalog"
    try:
        with psycopg.connect(**arguments, autocommit=True) as connection:
            connection.execute(_set(settings))
            yield connection
    except psycopg.Error as error:
        raise _could_not(name, side, error) from error


def moving_schemas(connection: Session, database: Database) -> list[str]:
    """The schemas that move: those configured, or all but the system's and the ignored ones. Sorted."""
    rows = connection.execute(
        "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    ).fetchall()
    there = {str(row[0]) for row in rows}
    wanted = there & set(database.schemas) if database.schemas else there - set(database.ignore_schemas)
    return sorted(wanted)


def _set(settings: dict[str, str]) -> sql.Composed:
    pairs: Sequence[sql.Composed] = [
        sql.SQL("pg_catalog.set_config({}, {}, false)").format(sql.Literal(key), sql.Literal(value))
        for key, value in sorted(settings.items())
    ]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(pairs))


def _could_not(name: str, side: Side, error: psycopg.Error) -> CouldNotLook:
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    connecting = error.sqlstate is None or error.sqlstate.startswith(("08", "28", "3D", "53", "57P"))
    return CouldNotLook(
        f"{'reach' if connecting else 'ask'} {side} database {name}",
        seen=first if error.sqlstate is None else f"{first} (SQLSTATE {error.sqlstate})",
        remedy="look whether the server is up and the route, user and password in the connection URL are right"
        if connecting
        else "look whether the role of the connection URL owns the database's objects, and at the server's load",
    )
