"""What would a rollback lose? Whatever the new side took since the last copy, because the old side never sees it."""

from __future__ import annotations

from collections.abc import Mapping

from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import CriticalAnswer, LargeObjects, RowCounts, SequencePositions
from kovra_checks.outcome import Finding, adapter
from kovra_checks.rules.sequences import positions_of

__all__ = ["rows_since", "sequences_since", "unseen", "values_since"]


def rows_since(copied: AppliedAction, now: RowCounts) -> list[Finding]:
    """Tables that hold more or fewer rows than right after the final copy."""
    then: Mapping[str, int] = copied.facts["imported"]["counts"]
    return [
        Finding(f"rows in {table} on the target ({now.tables.get(table, 'no such table')}) == at the final copy "
                f"({then.get(table, 'no such table')})")
        for table in sorted({*then, *now.tables})
        if now.tables.get(table) != then.get(table)
    ]  # fmt: skip


def sequences_since(copied: AppliedAction, now: SequencePositions) -> list[Finding]:
    """Sequences that gave out values: rows were inserted, even if they are gone again."""
    return [
        Finding(f"next value of {name} on the target ({position.next_value}) == at the final copy ({then.next_value})")
        for name, then in sorted(positions_of(copied).items())
        if (position := now.sequences.get(name)) is not None and position.next_value != then.next_value
    ]


def values_since(copied: AppliedAction, answers: Mapping[str, CriticalAnswer], objects: LargeObjects) -> list[Finding]:
    """Critical queries and large objects that differ from right after the final copy: values were changed in place."""
    queries = copied.facts["imported"]["queries"]
    findings = [
        Finding(f"answer of {name} on the target ({answer.digest[:12]}) == at the final copy "
                f"({queries[name]['digest'][:12]})")
        for name, answer in sorted(answers.items())
        if name in queries and answer.digest != queries[name]["digest"]
    ]  # fmt: skip
    then = adapter(LargeObjects).validate_python(copied.facts["large_objects"])
    if objects.digest != then.digest:
        findings.append(
            Finding(f"large objects on the target ({objects.count}, {objects.digest[:12]}) == at the final copy "
                    f"({then.count}, {then.digest[:12]})")
        )  # fmt: skip
    return findings


def unseen(database: str, why: str) -> Finding:
    """What cannot be known counts as a loss."""
    return Finding(f"what database {database} took on the target since the swap cannot be known: {why}")
