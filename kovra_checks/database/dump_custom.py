"""Move by `pg_dump -Fc` into a file and `pg_restore` in one transaction.

The export holds a snapshot and takes its readings in it, so that the target can later be compared with that moment
while the source goes on taking writes. The custom format notices a truncated file; plain SQL does not.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kovra_checks.access import Access
from kovra_checks.database.archive import list_archive, restorable
from kovra_checks.database.move import Exported, Imported, Progress
from kovra_checks.database.observe import file_digest
from kovra_checks.database.preparing import carry_settings, create_extensions
from kovra_checks.database.reading import answer_query, count_rows, read_large_objects, read_sequences
from kovra_checks.database.session import Session, connection_arguments, moving_schemas, session
from kovra_checks.database.tools import Run, Tools, find_tools, run_tool
from kovra_checks.errors import ActionFailed
from kovra_checks.migration import Database

__all__ = ["DumpCustom"]

LOCK_WAIT = "10s"
COMPRESSION = "1"  # a tenth of the default's time for a third more bytes


class DumpCustom:
    """The method `dump-custom`."""

    def export(self, access: Access, database: Database, archive: Path, progress: Progress) -> Exported:
        """Dump into a draft beside *archive*, check it, and only then give it its name."""
        began = time.monotonic()
        tools, source_major = self._tools(access, database)
        draft = archive.with_name(f".{archive.name}.draft")
        try:
            with _snapshot(access, database) as (source, snapshot):
                _require_space(source, archive.parent)
                schemas = moving_schemas(source, database)
                lsn = source.execute("SELECT pg_current_wal_lsn()::text WHERE NOT pg_is_in_recovery()").fetchone()
                sequences = read_sequences(source, schemas)
                progress("counting rows and asking critical queries in the snapshot")
                counts = count_rows(source, schemas)
                queries = {name: answer_query(source, name, text) for name, text in database.critical_queries.items()}
                blobs = read_large_objects(source)
                warnings = self._dump(access, database, tools, draft, snapshot, progress)
            entries = list_archive(tools, draft, access.work)
            digest = file_digest(draft)
            assert digest is not None
            draft.replace(archive)
        finally:
            draft.unlink(missing_ok=True)
        return Exported(
            archive=archive.name, sha256=digest, size=archive.stat().st_size, entries=len(entries),
            seconds=round(time.monotonic() - began, 3), source_version=source_major, tools_version=tools.major,
            lsn=None if lsn is None else str(lsn[0]), counts=counts, sequences=sequences, queries=queries,
            large_objects=blobs, warnings=warnings,
        )  # fmt: skip

    def load(self, access: Access, database: Database, archive: Path, progress: Progress) -> Imported:
        """Restore in one transaction over whatever an earlier load made; then ANALYZE and count."""
        began = time.monotonic()
        tools, _ = self._tools(access, database)
        digest = file_digest(archive)
        if digest is None:
            raise ActionFailed(
                f"import {archive.name}", seen="the file is not there", remedy="export the database again"
            )
        kept, left_out = restorable(list_archive(tools, archive, access.work))
        created, failed = create_extensions(access, database, progress)
        chosen = archive.with_name(f".{archive.name}.list")
        try:
            chosen.write_text("\n".join(kept) + "\n", encoding="utf-8")
            warnings = self._restore(access, database, tools, archive, chosen, progress)
        finally:
            chosen.unlink(missing_ok=True)
        settings, settings_failed = carry_settings(access, database)
        progress("gathering statistics")
        limit = _limit(access)
        with session(access, database.name, "target", limit=limit, writing=True) as target:
            target.execute("ANALYZE")
            counts = count_rows(target, moving_schemas(target, database))
            queries = {name: answer_query(target, name, text) for name, text in database.critical_queries.items()}
        return Imported(
            archive=archive.name, sha256=digest, seconds=round(time.monotonic() - began, 3), counts=counts,
            queries=queries, warnings=warnings, left_out=left_out, extensions=created, extensions_failed=failed,
            settings=settings, settings_failed=settings_failed,
        )  # fmt: skip

    def _tools(self, access: Access, database: Database) -> tuple[Tools, int]:
        majors = []
        for side in ("source", "target"):
            with session(access, database.name, side) as connection:
                majors.append(connection.info.server_version // 10000)
        return find_tools(*majors), majors[0]

    def _dump(
        self, access: Access, database: Database, tools: Tools, draft: Path, snapshot: str, progress: Progress
    ) -> tuple[str, ...]:
        chosen = [f"--schema={_exactly(name)}" for name in database.schemas]
        spared = [f"--exclude-schema={_exactly(name)}" for name in database.ignore_schemas]
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # everyone's data: for our eyes only
        ended = run_tool(
            tools.dump,
            ["--format=custom", f"--compress={COMPRESSION}", f"--file={draft}", f"--snapshot={snapshot}", "--verbose",
             f"--lock-wait-timeout={LOCK_WAIT}", "--large-objects" if tools.major >= 16 else "--blobs",
             "--no-publications", "--no-subscriptions", *chosen, *spared],
            connection=connection_arguments(access, database.name, "source"), folder=access.work,
            deadline=_limit(access), progress=progress,
        )  # fmt: skip
        return _judged(ended, f"export database {database.name}", "nothing was changed; mend it and export again")

    def _restore(
        self, access: Access, database: Database, tools: Tools, archive: Path, chosen: Path, progress: Progress
    ) -> tuple[str, ...]:
        name = f"kovra-restore-{secrets.token_hex(4)}"
        arguments = {**connection_arguments(access, database.name, "target"), "application_name": name}
        try:
            ended = run_tool(
                tools.restore,
                ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "--clean", "--if-exists",
                 "--no-publications", "--no-subscriptions", "--verbose", f"--use-list={chosen}", str(archive)],
                connection=arguments, folder=access.work, deadline=_limit(access), progress=progress,
            )  # fmt: skip
        except ActionFailed:
            # The killed program's server process may still hold locks: it ends without a commit.
            with session(access, database.name, "target", writing=True) as target:
                target.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (name,)
                )
            raise
        return _judged(
            ended,
            f"import database {database.name}",
            "the target is as it was before: mend what the error names and import again",
        )


@contextmanager
def _snapshot(access: Access, database: Database) -> Iterator[tuple[Session, str]]:
    """A session inside a snapshot of the source that others may join while it is held."""
    with session(access, database.name, "source", limit=_limit(access)) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield connection, str(row[0])
        connection.execute("COMMIT")


def _require_space(source: Session, folder: Path) -> None:
    """A dump is smaller than its database as a rule (no indexes, compressed): its size is the safe side."""
    row: Any = source.execute("SELECT pg_database_size(current_database())").fetchone()
    free = shutil.disk_usage(folder).free
    if free < row[0]:
        raise ActionFailed(
            "export the database to the work folder",
            seen=f"free space ({free} bytes) >= size of the database ({row[0]} bytes) does not hold",
            remedy="make room beside the ledger, or put the ledger on a larger disk (setting `ledger`)",
        )


def _judged(ended: Run, tried: str, remedy: str) -> tuple[str, ...]:
    if ended.returncode != 0:
        seen = "; ".join(ended.problems[-6:]) or "it said nothing"
        raise ActionFailed(tried, seen=f"exit status ({ended.returncode}) == 0 does not hold: {seen}", remedy=remedy)
    return ended.problems


def _exactly(name: str) -> str:
    """A pattern of pg_dump that matches this very name."""
    return '"' + name.replace('"', '""') + '"'


def _limit(access: Access) -> float:
    return max(access.timeout, access.migration.policy.action_deadline.total_seconds())
