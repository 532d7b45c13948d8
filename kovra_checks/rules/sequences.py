"""Will the target's sequences give values that are still free?"""

from __future__ import annotations

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import Position, SequencePositions
from kovra_checks.outcome import Finding, adapter

__all__ = ["are_ahead", "positions_of"]


def are_ahead(
    exported: AppliedAction, synced: AppliedAction, live: SequencePositions, target: SequencePositions
) -> list[Finding]:
    """Each sequence goes on no earlier than the source's did at the copy, and beyond what its column holds."""
    record, when = (synced, "at the final copy") if synced.applied else (exported, "at the export")
    expected = positions_of(record) if record.applied else live.sequences
    when = when if record.applied else "now"
    findings: list[Finding] = []
    for name, source in sorted(expected.items()):
        position = target.sequences.get(name)
        if position is None:
            findings.append(Finding(f"sequence {name} on the target (missing) == source {when} ({source.next_value})"))
        elif _before(position.next_value, source.next_value, source.increment):
            told = f"next value of {name} on the target ({position.next_value}) >= source {when} ({source.next_value})"
            findings.append(Finding(told, _remedy(name, source.next_value)))
        elif position.used is not None and not _before(position.used, position.next_value, position.increment):
            told = f"next value of {name} on the target ({position.next_value}) > {position.column} ({position.used})"
            findings.append(Finding(told, _remedy(name, position.used + position.increment)))
    return findings


def positions_of(record: AppliedAction) -> dict[str, Position]:
    """The positions an export recorded."""
    told = record.facts["sequences"]
    return {name: adapter(Position).validate_python(position) for name, position in told.items()}


def _before(one: int, other: int, increment: int) -> bool:
    return one < other if increment > 0 else one > other


def _remedy(name: str, value: int) -> str:
    return f"On the target: SELECT setval('{name}', {value}, false). Else the next insert collides with a key in use."
