"""The write fence of strategy `freeze`: a database whose sessions are read-only unless they insist.

`default_transaction_read_only` is only a default and reaches new sessions alone, so every older session is ended and
roles with a default of their own are looked for (PostgreSQL documentation, "Client Connection Defaults").
"""

from __future__ import annotations

from datetime import datetime

from psycopg import errors, sql

from kovra_checks.access import Access
from kovra_checks.database.session import APPLICATION, Session, session
from kovra_checks.errors import ActionFailed
from kovra_checks.observations.postgres import Counters, Fence, SessionInfo
from kovra_checks.waiting import pause, wait_for

__all__ = ["SETTING", "end_sessions", "read_setting", "sample_fence", "set_default"]

SETTING = "default_transaction_read_only"
# By table and not by database: the latter counts what ANALYZE writes into the catalogs too.
COUNTERS = """
    SELECT t.inserted, t.updated, t.deleted, d.xact_commit,
        CASE WHEN has_function_privilege('pg_current_wal_lsn()', 'EXECUTE') AND NOT pg_is_in_recovery()
             THEN pg_current_wal_lsn()::text END
    FROM pg_stat_database d CROSS JOIN (
        SELECT coalesce(sum(n_tup_ins), 0)::bigint AS inserted, coalesce(sum(n_tup_upd), 0)::bigint AS updated,
               coalesce(sum(n_tup_del), 0)::bigint AS deleted FROM pg_stat_user_tables) t
    WHERE d.datname = current_database()"""
# What a role may not see of others' sessions is NULL. Those of superusers are the provider's own upkeep: left alone.
SESSIONS = (
    "SELECT pid, coalesce(usename::text, ''), coalesce(application_name, ''), "
    "coalesce(backend_start, 'epoch') AS began FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND (backend_type = 'client backend' OR backend_type IS NULL AND NOT coalesce(r.rolsuper, true)) "
    "AND NOT (usename = current_user AND application_name = %s) ORDER BY began, pid"
)


def sample_fence(access: Access, name: str) -> Fence:
    """Look at the source twice, `policy.quiet_interval` apart. Raises CouldNotLook."""
    interval = access.migration.policy.quiet_interval.total_seconds()
    with session(access, name, "source", writing=True) as connection:
        fresh = connection.execute("SELECT current_setting('transaction_read_only') = 'on'").fetchone()
        before = _counters(connection)
        pause(interval)
        after = _counters(connection)
        overrides = connection.execute(
            "SELECT DISTINCT coalesce(r.rolname, '') FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole "
            "CROSS JOIN unnest(s.setconfig) c WHERE setdatabase IN (0, (SELECT oid FROM pg_database "
            "WHERE datname = current_database())) AND lower(c) IN (%s, %s, %s, %s) ORDER BY 1",
            tuple(f"{SETTING}={off}" for off in ("off", "false", "no", "0")),
        ).fetchall()
        return Fence(
            setting=read_setting(connection), overrides=tuple(str(row[0]) for row in overrides),
            fresh_read_only=bool(fresh and fresh[0]), sessions=_sessions(connection),
            before=before, after=after, interval=interval,
        )  # fmt: skip


def read_setting(connection: Session) -> str | None:
    """The database's own default for read-only, None if it has none."""
    row = connection.execute(
        "SELECT split_part(c, '=', 2) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c WHERE s.setrole = 0 "
        "AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND c LIKE %s",
        (f"{SETTING}=%",),
    ).fetchone()
    return None if row is None else str(row[0])


def set_default(connection: Session, value: str | None) -> datetime:
    """Keep *value* with the database, or nothing (None). Returns the server's time just after it took effect.

    Raises:
        ActionFailed: The role does not own the database.
    """
    name = sql.Identifier(connection.info.dbname)
    change = (
        sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name)
        if value is None
        else sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, sql.Literal(value))
    )
    try:
        connection.execute("SET default_transaction_read_only = off")  # of this session: it may be fenced itself
        connection.execute(change)
    except errors.InsufficientPrivilege as error:
        raise ActionFailed(
            f"ALTER DATABASE … SET {SETTING}",
            seen=str(error).strip().splitlines()[0],
            remedy="connect as the database's owner, or choose another write_strategy",
        ) from None
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def end_sessions(connection: Session, *, older_than: datetime, deadline: float) -> int:
    """End all other client sessions that began before *older_than*, of every role. Returns how many there were.

    Raises:
        ActionFailed: Some could not be ended: the role may not, or they did not end in *deadline* seconds.
    """
    seen: set[int] = set()
    refused: set[str] = set()

    def none_left() -> bool | None:
        old = [each for each in _sessions(connection) if each.started < older_than]
        for each in old:
            seen.add(each.pid)
            try:
                connection.execute("SELECT pg_terminate_backend(%s)", (each.pid,))
            except errors.InsufficientPrivilege:
                refused.add(each.role)
        return None if old else True

    if wait_for(none_left, deadline=deadline, every=0.05) is None:
        who = f"sessions of {', '.join(sorted(refused))}, which this role may not end" if refused else "they go on"
        raise ActionFailed(
            "end the sessions that are older than the fence",
            seen=who,
            remedy="stop the processes behind them, or connect with a role that has pg_signal_backend",
        )
    return len(seen)


def _sessions(connection: Session) -> tuple[SessionInfo, ...]:
    return tuple(SessionInfo(*row) for row in connection.execute(SESSIONS, (APPLICATION,)))


def _counters(connection: Session) -> Counters:
    row = connection.execute(COUNTERS).fetchone()
    assert row is not None
    return Counters(*row)
