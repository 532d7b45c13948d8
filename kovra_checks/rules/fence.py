"""Does the source still take writes, and is everything it took on the target?"""

from __future__ import annotations

from datetime import datetime

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import Fence, RowCounts, SequencePositions
from kovra_checks.outcome import Finding
from kovra_checks.rules import rows, sequences

__all__ = ["is_quiet", "nothing_was_lost", "writes_are_fenced"]


def writes_are_fenced(strategy: str | None, fence: Fence, fenced: AppliedAction) -> list[Finding]:
    """The source refuses writes, to everybody, since the moment of the fence."""
    if strategy != "freeze":
        told = f"write_strategy ({strategy or 'none'}) == freeze"
        return [
            Finding(told, 'Set write_strategy = "freeze": without a strategy, writes are lost while DNS propagates.')
        ]
    findings = []
    if fence.setting != "on":
        findings.append(Finding(f"default_transaction_read_only of the source ({fence.setting or 'not set'}) == on"))
    if not fence.fresh_read_only:
        findings.append(Finding("a fresh session at the source (writes) == read-only"))
    findings += [
        Finding(f"default_transaction_read_only of role {role} (off) == not set", f"ALTER ROLE {role} RESET it.")
        for role in fence.overrides
    ]
    since = fenced.facts.get("fenced_at")
    moment = None if since is None else datetime.fromisoformat(str(since))
    findings += [
        Finding(f"session {each.pid} of {each.role} ({each.application or 'unnamed'}) began ({each.started:%H:%M:%S}) "
                f">= fence ({moment:%H:%M:%S})", "End it: it keeps the default it began with.")
        for each in fence.sessions
        if moment is not None and each.started < moment
    ]  # fmt: skip
    return findings + _writes(fence)


def nothing_was_lost(
    synced: AppliedAction,
    source: RowCounts,
    target: RowCounts,
    at_source: SequencePositions,
    on_target: SequencePositions,
) -> list[Finding]:
    """Nothing was written to the source after the final copy, and the target has all that was copied."""
    if not synced.applied:
        # Copied by hand: the fenced source itself is the record.
        return rows.at_least(source.tables, target, "now") + sequences.are_ahead(synced, synced, at_source, on_target)
    copied: dict[str, int] = synced.facts["counts"]
    findings = _unchanged(copied, source)
    findings += [
        Finding(f"sequence {name} at the source ({position.next_value}) == at the final copy "
                f"({copied_position.next_value})", "Something drew from it since: look who writes to the source.")
        for name, copied_position in sorted(sequences.positions_of(synced).items())
        if (position := at_source.sequences.get(name)) is not None
        and position.next_value != copied_position.next_value
    ]  # fmt: skip
    findings += rows.at_least(copied, target, "at the final copy")
    return findings + sequences.are_ahead(synced, synced, at_source, on_target)


def is_quiet(synced: AppliedAction, fence: Fence, source: RowCounts) -> list[Finding]:
    """Nobody writes to the source, and nobody has since the final copy."""
    copied = synced.facts["counts"] if synced.applied else {}
    return _writes(fence) + _unchanged(copied, source)


def _writes(fence: Fence) -> list[Finding]:
    written = fence.after.writes - fence.before.writes
    if written == 0:
        return []
    return [Finding(f"rows written at the source within {fence.interval:g} s ({written}) == 0")]


def _unchanged(copied: dict[str, int], source: RowCounts) -> list[Finding]:
    return [
        Finding(f"rows in {table} at the source ({source.tables.get(table, 'no such table')}) == at the final copy "
                f"({count})", "Written after the copy: these rows are at the source alone. Roll back, or copy them.")
        for table, count in sorted(copied.items())
        if source.tables.get(table) != count
    ]  # fmt: skip
