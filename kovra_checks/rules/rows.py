"""Are all rows there?"""

from __future__ import annotations

from collections.abc import Mapping

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import CriticalAnswer, LargeObjects, RowCounts
from kovra_checks.outcome import Finding, adapter

__all__ = ["answers_match", "at_least", "counts_match", "large_objects_match"]


def counts_match(exported: AppliedAction, synced: AppliedAction, live: RowCounts, target: RowCounts) -> list[Finding]:
    """As many rows in each table as at the moment of the export, which the source has left behind since.

    Args:
        exported: The record of the export.
        synced: The record of the final copy: once it stands, users write to the target and it may hold more.
        live: The source now: judged by when nothing was exported by us.
        target: The target now.
    """
    if synced.applied:
        return at_least(synced.facts["counts"], target, "at the final copy")
    expected, when = (exported.facts["counts"], "at the export") if exported.applied else (live.tables, "now")
    findings = [
        Finding(f"rows in {table} on the target ({_count(target, table)}) == source {when} ({rows})")
        for table, rows in sorted(expected.items())
        if target.tables.get(table) != rows
    ]
    if not expected:
        findings.append(Finding("tables at the source (0) > 0: nothing to compare proves nothing"))
    return findings


def at_least(expected: Mapping[str, int], target: RowCounts, when: str) -> list[Finding]:
    """No table has fewer rows than *expected*."""
    return [
        Finding(f"rows in {table} on the target ({_count(target, table)}) >= source {when} ({rows})")
        for table, rows in sorted(expected.items())
        if target.tables.get(table, -1) < rows
    ]


def answers_match(
    query: str, exported: AppliedAction, synced: AppliedAction, live: CriticalAnswer, target: CriticalAnswer
) -> list[Finding]:
    """The query has the same answer on the target as at the source.

    With a record of the export the source's answer is that of its snapshot; with one of the final copy both answers are
    those taken right after it, since users have written to the target from then on.
    """
    when = "now"
    expected, found = live, target
    if synced.applied and query in synced.facts["queries"]:
        expected, found, when = _told(synced, query), _told(synced, query, imported=True), "at the final copy"
    elif exported.applied and query in exported.facts["queries"]:
        expected, when = _told(exported, query), "at the export"
    if found.rows != expected.rows:
        return [Finding(f"rows of {query} on the target ({found.rows}) == source {when} ({expected.rows})")]
    if found.digest == expected.digest and found.columns == expected.columns:
        return []
    here, there = _difference(expected, found)
    return [Finding(f"answer of {query} on the target ({there}) == source {when} ({here})")]


def large_objects_match(
    exported: AppliedAction, synced: AppliedAction, live: LargeObjects, target: LargeObjects
) -> list[Finding]:
    """The same large objects with the same contents, or more once users are on the target."""
    record, when = (synced, "at the final copy") if synced.applied else (exported, "at the export")
    expected = adapter(LargeObjects).validate_python(record.facts["large_objects"]) if record.applied else live
    when = when if record.applied else "now"
    if target.count < expected.count or (target.count != expected.count and not synced.applied):
        return [Finding(f"large objects on the target ({target.count}) == source {when} ({expected.count})")]
    if target.digest != expected.digest and not synced.applied:
        return [
            Finding(f"contents of large objects on the target ({target.digest[:12]}) == source {when} "
                    f"({expected.digest[:12]})")
        ]  # fmt: skip
    return []


def _told(record: AppliedAction, query: str, *, imported: bool = False) -> CriticalAnswer:
    facts = record.facts["imported"] if imported else record.facts
    answer: CriticalAnswer = adapter(CriticalAnswer).validate_python(facts["queries"][query])
    return answer


def _difference(source: CriticalAnswer, target: CriticalAnswer) -> tuple[str, str]:
    """The first rows that differ, or the digests if they lie further down."""
    for here, there in zip(source.first, target.first, strict=False):
        if here != there:
            return _row(here), _row(there)
    return source.digest[:12], target.digest[:12]


def _row(row: tuple[str | None, ...]) -> str:
    return ", ".join("null" if value is None else value for value in row)


def _count(counts: RowCounts, table: str) -> str:
    return str(counts.tables.get(table, "no such table"))
