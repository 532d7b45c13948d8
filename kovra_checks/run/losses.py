"""Looks at what a rollback of the standing cutover would lose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kovra_checks.errors import CouldNotLook
from kovra_checks.ledger.history import Unfinished
from kovra_checks.migration import Database
from kovra_checks.observations.ledger import ActionFacts
from kovra_checks.observations.postgres import CriticalQueryAnswer, LargeObjectsOf, RowCountsOf, SequencePositionsOf
from kovra_checks.outcome import Finding, Observations, Question
from kovra_checks.rules import losses
from kovra_checks.run.context import Run
from kovra_checks.run.observing import observe

__all__ = ["what_would_be_lost"]

SAFE = ("fence-writes[", "final-sync[")
"""While nothing but these stands, no user and no job was sent to the new side."""


def what_would_be_lost(run: Run, standing: Sequence[Unfinished]) -> list[Finding]:
    """A finding for each difference between the target now and right after the final copy, and for each blind spot.

    Changes in place are seen only through the configured critical queries. Nothing is asked when the new side was never
    in use. What was observed goes into the evidence.
    """
    if all(action.action.startswith(SAFE) for action in standing):
        return []
    found: list[Finding] = []
    for database in run.migration.databases:
        asked = _questions(database)
        observations = observe(asked, run.answerers, run.access)
        run.evidence.record("losses", observations)
        try:
            found += _judge(database, Observations(observations))
        except CouldNotLook as problem:
            found.append(losses.unseen(database.name, f"{problem.tried}: {problem.seen}"))
    return found


def _copied(database: Database) -> ActionFacts:
    return ActionFacts(f"final-sync[{database.name}]")


def _queries(database: Database) -> dict[str, CriticalQueryAnswer]:
    return {
        name: CriticalQueryAnswer(database.name, "target", name, sql) for name, sql in database.critical_queries.items()
    }


def _questions(database: Database) -> list[Question[Any]]:
    name = database.name
    return [
        _copied(database), RowCountsOf(name, "target"), SequencePositionsOf(name, "target"),
        LargeObjectsOf(name, "target"), *_queries(database).values(),
    ]  # fmt: skip


def _judge(database: Database, seen: Observations) -> list[Finding]:
    name = database.name
    copied = seen[_copied(database)]
    if not copied.applied:
        return [losses.unseen(name, "the ledger has no finished final copy to compare with")]
    answers = {query: seen[question] for query, question in _queries(database).items()}
    return [
        *losses.rows_since(copied, seen[RowCountsOf(name, "target")]),
        *losses.sequences_since(copied, seen[SequencePositionsOf(name, "target")]),
        *losses.values_since(copied, answers, seen[LargeObjectsOf(name, "target")]),
    ]
