"""What a dump leaves to the target's owner: extensions, and settings kept with the database."""

from __future__ import annotations

import psycopg
from psycopg import sql

from kovra_checks.access import Access
from kovra_checks.database.fence import SETTING
from kovra_checks.database.move import Progress
from kovra_checks.database.session import Session, session
from kovra_checks.migration import Database

__all__ = ["carry_settings", "create_extensions"]

Outcome = tuple[tuple[str, ...], tuple[str, ...]]

EXTENSIONS = (
    "SELECT extname, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    "WHERE extname <> 'plpgsql' ORDER BY e.oid"
)
KEPT = (
    "SELECT split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s "
    "CROSS JOIN unnest(s.setconfig) c WHERE s.setrole = 0 "
    "AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1"
)


def create_extensions(access: Access, database: Database, progress: Progress) -> Outcome:
    """Create what the source has and the target lacks, in the same schema: columns and defaults refer to it there.

    Returns the names created, and `name: reason` for those that could not be.
    """
    with session(access, database.name, "source") as source:
        wanted = source.execute(EXTENSIONS).fetchall()
    created: list[str] = []
    failed: list[str] = []
    with session(access, database.name, "target", writing=True) as target:
        there = {row[0] for row in target.execute(EXTENSIONS)}
        for name, schema in wanted:
            if name in there:
                continue
            progress(f"creating extension {name} in schema {schema}")
            problem = _attempt(
                target,
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)),
                sql.SQL("CREATE EXTENSION {} WITH SCHEMA {}").format(sql.Identifier(name), sql.Identifier(schema)),
            )
            if problem is None:
                created.append(str(name))
            else:
                failed.append(f"{name}: {problem}")
    return tuple(created), tuple(failed)


def carry_settings(access: Access, database: Database) -> Outcome:
    """Keep with the target database what is kept with the source's (ALTER DATABASE … SET), the fence excepted.

    Returns the names set, and `name: reason` for those that could not be.
    """
    with session(access, database.name, "source") as source:
        wanted = dict(source.execute(KEPT).fetchall())
    done: list[str] = []
    failed: list[str] = []
    with session(access, database.name, "target", writing=True) as target:
        there = dict(target.execute(KEPT).fetchall())
        for name, value in wanted.items():
            if name == SETTING or there.get(name) == value:
                continue
            # A list (search_path) is kept ready to be parsed: quoting it again would make it one name.
            spelt = sql.SQL(value) if name == "search_path" else sql.Literal(value)
            problem = _attempt(
                target,
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(target.info.dbname), sql.Identifier(*name.split(".")), spelt
                ),
            )
            (done if problem is None else failed).append(name if problem is None else f"{name}: {problem}")
    return tuple(done), tuple(failed)


def _attempt(connection: Session, *statements: sql.Composed) -> str | None:
    """Do all or none of the statements. Returns why not, or None."""
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return None
