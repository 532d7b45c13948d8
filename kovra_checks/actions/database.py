"""Changes to databases: export, import, fence, final copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kovra_checks.access import Access, Side
from kovra_checks.actions.base import Action, Plan, Progress, Step
from kovra_checks.database.dump_custom import DumpCustom
from kovra_checks.database.fence import SETTING, end_sessions, read_setting, set_default
from kovra_checks.database.move import DatabaseMove
from kovra_checks.database.observe import file_digest
from kovra_checks.database.reading import count_rows
from kovra_checks.database.session import moving_schemas, session
from kovra_checks.errors import ActionFailed, UnsafePlan
from kovra_checks.migration import Database, Migration
from kovra_checks.outcome import Finding, as_json

__all__ = ["ExportDatabase", "FenceWrites", "FinalSync", "ImportDatabase", "actions", "move_for"]

SIDES: tuple[Side, Side] = ("source", "target")
METHODS: Mapping[str, type[DatabaseMove]] = {"dump-custom": DumpCustom}


def move_for(database: Database) -> DatabaseMove:
    """The move its configuration names."""
    return METHODS[database.method]()


def actions(migration: Migration, stage: str) -> tuple[Action, ...]:
    """The database family's actions of *stage*, in order."""
    kinds: Mapping[str, tuple[Callable[[str], Action], ...]] = {
        "database": (ExportDatabase, ImportDatabase),
        "cutover": (FenceWrites, FinalSync),
    }
    return tuple(kind(database.name) for kind in kinds.get(stage, ()) for database in migration.databases)


@dataclass(frozen=True)
class _DatabaseAction:
    """What the four have in common: they act on one database."""

    subject: str
    name: ClassVar[str]
    stage: ClassVar[str]

    @property
    def id(self) -> str:
        """Name with subject."""
        return f"{self.name}[{self.subject}]"

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:  # noqa: ARG002
        """Nothing to bring back: the target is not live, and the next import replaces what is there."""
        progress("what it made stays where it is; the source was only read")


@dataclass(frozen=True)
class ExportDatabase(_DatabaseAction):
    """Dump the source at one moment, while it goes on working."""

    name: ClassVar[str] = "export-database"
    stage: ClassVar[str] = "database"

    def plan(self, access: Access) -> Plan:
        """A new archive beside the ledger."""
        database = access.migration.database(self.subject)
        _refuse_when_live(access, database, self.id)
        with session(access, database.name, "source") as source:
            row = source.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
        step = Step(f"archive {_archive(database, 'export')}", "not of this moment", f"by {database.method}")
        size = "" if row is None else str(row[0])
        return Plan(self.id, (step,), note=f"reads {size} from the source, which goes on working")

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:  # noqa: ARG002
        """Facts: `Exported`."""
        database = access.migration.database(self.subject)
        archive = access.work / _archive(database, "export")
        return as_json(move_for(database).export(access, database, archive, progress))

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The archive is there, unchanged."""
        if "archive" not in facts:
            return (Finding(f"{self.id}: an archive is recorded == True does not hold", "export again"),)
        found = file_digest(access.work / str(facts["archive"]))
        if found != facts["sha256"]:
            message = f"SHA-256 of {facts['archive']} ({found or 'no such file'}) == {facts['sha256']} does not hold"
            return (Finding(message, "export again"),)
        return ()


@dataclass(frozen=True)
class ImportDatabase(_DatabaseAction):
    """Restore the newest export into the target."""

    name: ClassVar[str] = "import-database"
    stage: ClassVar[str] = "database"

    def plan(self, access: Access) -> Plan:
        """Replaces what the archive holds; refused once users may be on the target."""
        database = access.migration.database(self.subject)
        _refuse_when_live(access, database, self.id)
        with session(access, database.name, "target", limit=_long(access)) as target:
            rows = sum(count_rows(target, moving_schemas(target, database)).values())
        step = Step(f"objects of managed database {database.target_name}", "not of this archive", "as in the archive")
        note = f"objects of the same names on the target ({rows} rows now) are replaced, in one transaction"
        return Plan(self.id, (step,), note=note)

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:  # noqa: ARG002
        """Facts: `Imported`. Raises ActionFailed when the archive is not the one that was exported."""
        database = access.migration.database(self.subject)
        archive = access.work / _archive(database, "export")
        record = access.records.applied(f"export-database[{self.subject}]")
        found = file_digest(archive)
        if record is not None and found != record.facts.get("sha256"):
            raise ActionFailed(
                f"import {archive.name}",
                seen=f"its SHA-256 ({found or 'no such file'}) == {record.facts.get('sha256')} does not hold",
                remedy="export the database again; the archive was changed or removed since",
            )
        return as_json(move_for(database).load(access, database, archive, progress))

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The target holds as many rows as right after the import, unless a final sync came since."""
        if access.records.applied(f"final-sync[{self.subject}]") is not None or _swapped(access, self.subject):
            return ()
        return _same_counts(access, self.subject, facts)


@dataclass(frozen=True)
class FenceWrites(_DatabaseAction):
    """Stop the source from taking writes, so that nothing is written after the last copy (strategy `freeze`)."""

    name: ClassVar[str] = "fence-writes"
    stage: ClassVar[str] = "cutover"

    def plan(self, access: Access) -> Plan:
        """The database's default and the processes of jobs. Undo keeps the old ones."""
        database = access.migration.database(self.subject)
        _require_freeze(database)
        with session(access, self.subject, "source") as source:
            before = read_setting(source)
        processes = _running_jobs(access, self.subject)
        steps = [Step(f"{SETTING} of source database {self.subject}", before or "not set", "on")] * (before != "on")
        for app, counts in processes.items():
            steps += [Step(f"process {kind} of {app}", f"{count} running", "0") for kind, count in counts.items()]
        note = "all other sessions of the source database are ended; reads go on, writes are refused"
        return Plan(self.id, tuple(steps), {"setting": before, "processes": processes}, note)

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:
        """Jobs first, then the default, then every older session. Facts: when, by the source's clock."""
        for app, counts in plan.undo["processes"].items():
            progress(f"scaling {', '.join(counts)} of {app} to 0")
            access.source().scale(app, dict.fromkeys(counts, 0))
        deadline = access.migration.policy.action_deadline.total_seconds()
        with session(access, self.subject, "source", writing=True) as source:
            fenced_at = set_default(source, "on")
            progress("ending sessions that are older than the fence")
            ended = end_sessions(source, older_than=fenced_at, deadline=deadline)
        return {"fenced_at": fenced_at.isoformat(), "sessions_ended": ended, "processes": plan.undo["processes"]}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:  # noqa: ARG002
        """A fresh session of the app's own role is read-only."""
        return _fence_missing(access, self.subject)

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:
        """The old default and the old process counts; sessions that were opened behind the fence are ended."""
        before = undo.get("setting")
        with session(access, self.subject, "source", writing=True) as source:
            if read_setting(source) != before:
                lifted_at = set_default(source, before)
                progress("ending sessions that are still read-only")
                end_sessions(source, older_than=lifted_at, deadline=access.timeout)
        for app, counts in undo.get("processes", {}).items():
            progress(f"scaling {', '.join(counts)} of {app} back")
            access.source().scale(app, counts)


@dataclass(frozen=True)
class FinalSync(_DatabaseAction):
    """Copy once more, from behind the fence: what the target has after it is everything."""

    name: ClassVar[str] = "final-sync"
    stage: ClassVar[str] = "cutover"

    def plan(self, access: Access) -> Plan:
        """Export and import again; refused without a strategy, or once users may be on the target."""
        database = access.migration.database(self.subject)
        _require_freeze(database)
        _refuse_when_live(access, database, self.id)
        step = Step(f"objects of managed database {database.target_name}", "as of the last import", "as of the fence")
        return Plan(self.id, (step,), note="takes about as long as the export and import of stage database together")

    def apply(self, access: Access, plan: Plan, progress: Progress) -> Mapping[str, Any]:  # noqa: ARG002
        """Facts: `Exported`, and `imported`. Raises ActionFailed unless the source is fenced."""
        database = access.migration.database(self.subject)
        missing = _fence_missing(access, self.subject)
        if missing:
            raise ActionFailed(self.id, seen=missing[0].message, remedy="fence the source first")
        archive = access.work / _archive(database, "final")
        exported = move_for(database).export(access, database, archive, progress)
        imported = move_for(database).load(access, database, archive, progress)
        if exported.counts != imported.counts:
            raise ActionFailed(
                f"copy everything in {self.id}",
                seen=f"rows on the target ({sum(imported.counts.values())}) == rows at the source "
                f"({sum(exported.counts.values())}) does not hold",
                remedy="users are still on the source: roll back, and look at the archive's log",
            )
        return {**as_json(exported), "imported": as_json(imported)}

    def verify(self, access: Access, facts: Mapping[str, Any]) -> Sequence[Finding]:
        """The target holds as many rows as were copied, unless users are on it already."""
        return () if _swapped(access, self.subject) else _same_counts(access, self.subject, facts)

    def undo(self, access: Access, undo: Mapping[str, Any], progress: Progress) -> None:  # noqa: ARG002
        """Nothing is taken back: says which rows users left on the target, where they stay until the next copy."""
        counts = {}
        for side in SIDES:
            with session(access, self.subject, side, limit=_long(access)) as connection:
                schemas = moving_schemas(connection, access.migration.database(self.subject))
                counts[side] = count_rows(connection, schemas)
        for table, rows in counts["target"].items():
            more = rows - counts["source"].get(table, 0)
            if more > 0:
                progress(f"{more} rows of {table} are on the target alone: save them before the next copy")


def _long(access: Access) -> float:
    """Seconds a statement over whole tables may take."""
    return max(access.timeout, access.migration.policy.action_deadline.total_seconds())


def _archive(database: Database, moment: str) -> str:
    return f"{database.name}-{moment}.dump"


def _domains(access: Access, name: str) -> list[str]:
    """Domains of the apps that use the database."""
    apps = {app.name for app in access.migration.apps if name in app.databases.values()}
    return [domain.name for domain in access.migration.domains if domain.app in apps]


def _swapped(access: Access, name: str) -> list[str]:
    """Domains that were switched: their users may be writing to the target."""
    return [each for each in _domains(access, name) if access.records.applied(f"swap-record[{each}]") is not None]


def _refuse_when_live(access: Access, database: Database, what: str) -> None:
    live = _swapped(access, database.name)
    if live:
        raise UnsafePlan(
            what,
            seen=f"{', '.join(live)} was switched to the target, whose database may be in use",
            remedy="roll the cutover back first: an import replaces what users have written since",
        )


def _require_freeze(database: Database) -> None:
    if database.write_strategy != "freeze":
        chosen = database.write_strategy or "none"
        raise UnsafePlan(
            f"keep writes to database {database.name} from being lost",
            seen=f"write_strategy ({chosen}) == freeze does not hold; the others are not built yet",
            remedy=f'set databases.{database.name}.write_strategy = "freeze", or fence and copy by hand and look',
        )


def _running_jobs(access: Access, name: str) -> dict[str, dict[str, int]]:
    """Source app -> process types of its jobs that run now, with their counts: they write without any user."""
    running: dict[str, dict[str, int]] = {}
    for app in access.migration.apps:
        kinds = {job.source_process for job in access.migration.jobs if job.app == app.name}
        if name in app.databases.values() and kinds - {None}:
            counts = access.source().app(app.source).processes
            found = {kind: counts[kind] for kind in sorted(filter(None, kinds)) if counts.get(kind, 0) > 0}
            running.update({app.source: found} if found else {})
    return running


def _fence_missing(access: Access, name: str) -> tuple[Finding, ...]:
    with session(access, name, "source", writing=True) as source:
        row = source.execute("SELECT current_setting('transaction_read_only')").fetchone()
    if row is not None and row[0] == "on":
        return ()
    return (Finding(f"fresh session at source database {name}: transaction_read_only (off) == on does not hold"),)


def _same_counts(access: Access, name: str, facts: Mapping[str, Any]) -> tuple[Finding, ...]:
    told = facts.get("counts")
    if told is None:
        return (Finding(f"database {name}: a finished import is recorded == True does not hold", "import again"),)
    database = access.migration.database(name)
    with session(access, name, "target", limit=_long(access)) as target:
        found = count_rows(target, moving_schemas(target, database))
    return tuple(
        Finding(f"rows in {table} on the target ({found.get(table, 'no such table')}) == {rows}", "import again")
        for table, rows in told.items()
        if found.get(table) != rows
    )
