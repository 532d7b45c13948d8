"""Undoes a cutover from the ledger's records, newest action first, and looks at the old side again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kovra_checks.actions.base import Action
from kovra_checks.errors import KovraChecksError
from kovra_checks.ledger import History, Ledger
from kovra_checks.ledger.history import Unfinished
from kovra_checks.outcome import Finding, Observations
from kovra_checks.rules import old_side
from kovra_checks.run.context import Run, action_id
from kovra_checks.run.observing import observe

__all__ = ["RollbackResult", "look_at_old_side", "roll_back", "within_watch_window"]

STAGE = "cutover"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RollbackResult:
    """How the rollback went.

    Attributes:
        undone: Ids of the actions undone, in the order it was done.
        problem: Why it stopped before everything was undone, or None.
        findings: What is wrong with the old side afterwards.
    """

    undone: tuple[str, ...]
    problem: str | None
    findings: tuple[Finding, ...]

    @property
    def is_complete(self) -> bool:
        """Whether everything was undone and the old side is well."""
        return self.problem is None and not self.findings


def within_watch_window(run: Run, now: datetime) -> bool:
    """Whether the first swap of the standing cutover is recent enough to be undone without asking."""
    assert run.ledger is not None
    swaps = [entry for entry in run.ledger.entries("outcome") if entry.body["action"].startswith("swap-record[")]
    if not swaps:
        return True
    age: timedelta = now - datetime.fromisoformat(swaps[-1].at)
    return age <= run.migration.policy.watch_window


def roll_back(run: Run, say: Say) -> RollbackResult:
    """Undo what stands of the cutover. Each undo is in the ledger before and after. Stops at the first that fails."""
    ledger = run.ledger
    assert ledger is not None
    actions = {action_id(action): action for action in run.actions(STAGE)}
    undone: list[str] = []
    for standing in History(ledger.entries("intent", "outcome")).undoable(STAGE):
        action = actions.get(standing.action)
        if action is None:
            return RollbackResult(
                tuple(undone), f"{standing.action}: no such action in this configuration any more", ()
            )
        say(f"undoing {standing.action}")
        problem = _undo(run, ledger, action, standing)
        if problem is not None:
            return RollbackResult(tuple(undone), problem, ())
        undone.append(standing.action)
    say("looking at the old side again")
    return RollbackResult(tuple(undone), None, look_at_old_side(run))


def _undo(run: Run, ledger: Ledger, action: Action, standing: Unfinished) -> str | None:
    body: dict[str, Any] = {"action": standing.action, "stage": STAGE}
    _write(run, ledger, "undo", body)
    try:
        action.undo(run.access, standing.undo, run.progress(standing.action))
    except KovraChecksError as problem:
        _write(run, ledger, "outcome", body | {"state": "undo-failed", "message": str(problem)})
        return f"{standing.action}: {problem}"
    _write(run, ledger, "outcome", body | {"state": "undone", "message": "", "facts": {}})
    run.hook.pytest_kovra_action_finished(action=standing.action, state="undone", facts={})
    return None


def _write(run: Run, ledger: Ledger, kind: str, body: dict[str, Any]) -> None:
    ledger.append(kind, run.secrets.mask_all(body), run=run.settings.run_id, lease=run.lease)


def look_at_old_side(run: Run) -> tuple[Finding, ...]:
    """Ask the old side what a user would, now that it is in charge again."""
    migration = run.migration
    questions = old_side.questions(migration)
    observations = observe(questions, run.answerers, run.access)
    run.evidence.record("rollback", observations)
    try:
        return tuple(old_side.judge(migration, Observations(observations)))
    except KovraChecksError as problem:
        return (Finding(f"the old side could not be looked at: {problem.tried}: {problem.seen}", problem.remedy),)
