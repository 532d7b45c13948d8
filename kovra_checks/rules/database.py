"""Was the copy clean, and does the target behave like the source: extensions, settings, statistics, backups."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import Backups, Catalog, RowCounts, Server, Statistics
from kovra_checks.outcome import Finding
from kovra_checks.units import format_duration

__all__ = [
    "backup_is_kept", "export_is_clean", "extensions_match", "import_is_clean", "settings_match",
    "statistics_are_fresh",
]  # fmt: skip

FENCE = "default_transaction_read_only"
SAME_ZONE = {"gmt", "utc", "etc/utc", "etc/gmt", "zulu", "universal", "etc/universal"}


def export_is_clean(exported: AppliedAction, backups: Backups) -> list[Finding]:
    """The export ended without a complaint, and its archive is whole.

    A copy made by hand leaves no record: then there is nothing to judge here, and the comparisons of the two databases,
    which do not need one, carry the proof.
    """
    if not exported.applied:
        return []
    findings = _complaints("pg_dump", exported.facts["warnings"])
    if not exported.facts["counts"] or exported.facts["entries"] == 0:
        findings.append(Finding("tables in the archive (0) > 0"))
    for archive in backups.archives:
        if archive.recorded == exported.facts["sha256"] and archive.found != archive.recorded:
            told = archive.found[:12] if archive.found else "no such file"
            findings.append(Finding(f"SHA-256 of {archive.name} ({told}) == recorded ({archive.recorded[:12]})"))
    return findings


def import_is_clean(exported: AppliedAction, imported: AppliedAction, target: Catalog) -> list[Finding]:
    """The import ended without a complaint, from the archive that was exported; nothing is left invalid."""
    findings: list[Finding] = []
    if imported.applied:
        findings += _complaints("pg_restore", imported.facts["warnings"])
        read, written = str(imported.facts["sha256"]), str(exported.facts.get("sha256", ""))
        if exported.applied and read != written:
            findings.append(Finding(f"SHA-256 of the imported archive ({read[:12]}) == exported ({written[:12]})"))
    findings += [
        Finding(f"{name} on the target (invalid) == valid", "REINDEX it, or validate the constraint.")
        for name, definition in sorted(target.objects.items())
        if name.startswith("index ") and definition.endswith(" invalid")
    ]
    if not any(name.startswith("table ") for name in target.objects):
        findings.append(Finding("tables on the target (0) > 0", "Import the database."))
    return findings


def extensions_match(source: Server, target: Server) -> list[Finding]:
    """Every extension of the source is on the target, in no older version."""
    there = {extension.name: extension for extension in target.extensions}
    findings = []
    for extension in source.extensions:
        found = there.get(extension.name)
        if found is None:
            told = f"extension {extension.name} on the target (missing) == source ({extension.version})"
            findings.append(Finding(told, f"CREATE EXTENSION {extension.name} as the database's owner, or ask Kovra."))
        elif _version(found.version) < _version(extension.version):
            told = f"extension {extension.name} on the target ({found.version}) >= source ({extension.version})"
            findings.append(Finding(told, f"ALTER EXTENSION {extension.name} UPDATE, or ask Kovra for a newer server."))
    return findings


def settings_match(source: Server, target: Server) -> list[Finding]:
    """Encoding, collation, and every setting that changes what the app reads or writes."""
    findings = [
        Finding(f"{what} on the target ({there}) == source ({here})", remedy)
        for what, here, there, remedy in (
            ("encoding", source.encoding, target.encoding, "Create the managed database with the source's encoding."),
            (
                "collation",
                source.collate,
                target.collate,
                "Sorting and unique text differ: create it with this collation.",
            ),
            ("character type", source.ctype, target.ctype, "Create the managed database with the source's LC_CTYPE."),
        )
        if _locale(here) != _locale(there)
    ]
    wanted = {**source.settings, **{name: value for name, value in source.kept.items() if name.lower() != FENCE}}
    has = {**target.settings, **target.kept}
    findings += [
        Finding(f"{name} on the target ({has.get(name, 'not set')}) == source ({value})",
                f"ALTER DATABASE … SET {name} on the target.")
        for name, value in sorted(wanted.items())
        if _value(has.get(name)) != _value(value)
    ]  # fmt: skip
    if target.major < source.major:
        findings.append(Finding(f"PostgreSQL on the target ({target.major}) >= source ({source.major})"))
    return findings


def statistics_are_fresh(statistics: Statistics, counts: RowCounts) -> list[Finding]:
    """Every table with rows has been analysed: without statistics, the first users get bad plans."""
    findings = []
    for table, rows in sorted(counts.tables.items()):
        known = statistics.tables.get(table)
        if rows > 0 and (known is None or known.columns_known == 0):
            findings.append(Finding(f"columns of {table} with statistics on the target (0) > 0", f"ANALYZE {table}"))
    return findings


def backup_is_kept(backups: Backups, at: datetime, max_age: timedelta) -> list[Finding]:
    """Before the source goes: an intact archive of ours, or a backup of the platform's that is young enough."""
    if any(archive.found == archive.recorded for archive in backups.archives):
        return []
    newest = max((moment for moment in map(_moment, backups.platform.values()) if moment is not None), default=None)
    if newest is not None and at - newest <= max_age:
        return []
    findings = [
        Finding(f"archive {archive.name} of {archive.action} ({'changed' if archive.found else 'missing'}) == kept")
        for archive in backups.archives
    ]
    age = "none" if newest is None else format_duration(at - newest)
    told = f"age of the platform's newest backup ({age}) <= {format_duration(max_age)}"
    return [*findings, Finding(told + (f"; {backups.platform_error}" if backups.platform_error else ""))]


def _complaints(program: str, warnings: Iterable[str]) -> list[Finding]:
    return [Finding(f"complaints of {program} ({warning}) == none") for warning in warnings]


def _version(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _locale(name: str) -> str:
    """`en_US.UTF-8` and `en_US.utf8` are one."""
    return name.lower().replace("-", "").replace("_", "")


def _value(value: str | None) -> str | None:
    if value is None:
        return None
    return "utc" if value.lower() in SAME_ZONE else value.lower().replace(" ", "")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
