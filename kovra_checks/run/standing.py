"""Where a migration stands, read from its ledger alone: gates, actions, approvals, and what comes next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kovra_checks.actions.catalogue import builtin_actions
from kovra_checks.ledger import History
from kovra_checks.migration import Migration
from kovra_checks.stages import STAGES, position

__all__ = ["ActionStanding", "ApprovalStanding", "Next", "StageStanding", "Standing", "stand"]

CUTOVER = "cutover"


@dataclass(frozen=True, slots=True)
class ActionStanding:
    """An action that began at some time: `applied`, `failed`, `unfinished`, `undoing`, `undone`, `undo-failed`."""

    id: str
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalStanding:
    """The newest approval. `lacking`: why it has no force, None if it has."""

    by: str
    reason: str
    at: datetime
    lacking: str | None


@dataclass(frozen=True, slots=True)
class StageStanding:
    """One stage.

    Attributes:
        name: The stage.
        decision: GO, NO-GO or INCONCLUSIVE; None if it was never decided.
        decided: When.
        is_open: Whether the gate stands open for this configuration now.
        closed: Why it does not; None if it does.
        reasons: What the newest decision gave as reasons.
        until: Not before this moment can it be GO, if the newest decision knew one.
        fresh_until: When its evidence becomes too old to act on.
        actions: Those that ever began.
        approval_needed: Whether its actions need an approval that is not there, or has no force.
        approval: The newest one.
    """

    name: str
    decision: str | None
    decided: datetime | None
    is_open: bool
    closed: str | None
    reasons: tuple[str, ...]
    until: datetime | None
    fresh_until: datetime | None
    actions: tuple[ActionStanding, ...]
    approval_needed: bool
    approval: ApprovalStanding | None


@dataclass(frozen=True, slots=True)
class Next:
    """What to do now. `command` is None when there is nothing to do but wait, or nothing at all."""

    command: str | None
    why: str
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. `holder`: who holds the lease (run, host, pid, since), or None."""

    version: int
    migration: str
    config_digest: str
    ledger: str
    rehearsal: bool
    entries: int
    holder: dict[str, Any] | None
    stages: tuple[StageStanding, ...]
    next: Next


def stand(
    migration: Migration, history: History, *, holder: dict[str, Any] | None, given: Sequence[str], now: datetime
) -> Standing:
    """Judge the ledger's entries at the moment *now*.

    Args:
        migration: The configuration as it is now.
        history: All entries.
        holder: Who holds the lease.
        given: Options that name the configuration, to be repeated in the next command.
        now: The moment.
    """
    stages = tuple(_stage(migration, history, stage, now) for stage in STAGES)
    return Standing(
        version=1,
        migration=migration.name,
        config_digest=migration.digest,
        ledger=str(migration.path(migration.ledger)),
        rehearsal=history.is_rehearsal,
        entries=len(history.entries),
        holder=holder,
        stages=stages,
        next=_Way(migration, history, stages, given, now).next(holder),
    )


def _stage(migration: Migration, history: History, stage: str, now: datetime) -> StageStanding:
    policy, newest, approval = migration.policy, history.decision(stage), history.approval(stage)
    closed = _closed(migration, history, stage, policy.evidence_max_age, now)
    unapproved = history.unapproved_reason(stage, digest=migration.digest, max_age=policy.evidence_max_age, now=now)
    body = {} if newest is None else newest.body
    decided = None if newest is None else datetime.fromisoformat(newest.at)
    until = body.get("until")
    return StageStanding(
        name=stage,
        decision=body.get("state"),
        decided=decided,
        is_open=closed is None,
        closed=closed,
        reasons=tuple(body.get("reasons", ())),
        until=None if until is None else datetime.fromisoformat(until),
        fresh_until=None if decided is None else decided + policy.evidence_max_age,
        actions=tuple(
            ActionStanding(name, state, datetime.fromisoformat(at))
            for name, (state, at) in history.states(stage).items()
        ),
        approval_needed=stage in policy.approvals and unapproved is not None,
        approval=None
        if approval is None
        else ApprovalStanding(
            approval.body["by"], approval.body["reason"], datetime.fromisoformat(approval.at), unapproved
        ),
    )


def _closed(migration: Migration, history: History, stage: str, max_age: timedelta, now: datetime) -> str | None:
    return history.closed_reason(
        stage, digest=migration.digest, rehearsal=history.is_rehearsal, max_age=max_age, now=now
    )


class _Way:
    """Finds the next step."""

    def __init__(
        self, migration: Migration, history: History, stages: Sequence[StageStanding], given: Sequence[str],
        now: datetime,
    ) -> None:  # fmt: skip
        self.migration = migration
        self.history = history
        self.stages = stages
        self.given = given
        self.now = now

    def next(self, holder: dict[str, Any] | None) -> Next:
        """The first thing that keeps the move from being done."""
        if holder is not None:
            return Next(None, f"run {holder['run']} is at work; look again when it has ended")
        for stage in self.stages[self._first() :]:
            if not stage.is_open:
                return self._open(stage)
        return Next(None, "every gate stands open: the move is done")

    def _first(self) -> int:
        """After the cutover nobody goes back to look at what was before it."""
        crossed = _closed(self.migration, self.history, CUTOVER, timedelta.max, self.now) is None
        return position(CUTOVER) + 1 if crossed else 0

    def _open(self, stage: StageStanding) -> Next:
        states = {action.id: action.state for action in stage.actions}
        early = stage.until if stage.until is not None and stage.until > self.now else None
        unfinished = [name for name, state in states.items() if state in ("unfinished", "undoing", "undo-failed")]
        standing = self.history.undoable(stage.name) if stage.name == CUTOVER else ()
        if any(states[name] != "unfinished" for name in unfinished) or (standing and stage.decision == "NO-GO"):
            return Next(self._command("rollback"), f"{stage.closed}; of the cutover there stand: "
                        f"{', '.join(action.action for action in standing)}")  # fmt: skip
        if unfinished:
            return Next(self._run(stage.name, act=True), f"{', '.join(unfinished)} began and has no recorded end: it "
                        "is looked at first, then adopted or completed")  # fmt: skip
        wanted = {f"{action.name}[{action.subject}]" for action in builtin_actions(self.migration, stage.name)}
        if not any(states.get(name) != "applied" for name in wanted | set(states)):
            return Next(self._run(stage.name, act=False), self._why(stage), early)
        if stage.approval_needed:
            return Next(self._command("approve", stage.name, "--by", "NAME", "--reason", "TEXT"),
                        f"the actions of {stage.name} need an approval")  # fmt: skip
        return Next(self._run(stage.name, act=True), f"{self._why(stage)}; {self._command('plan', stage.name)} shows "
                    "what it would change", early)  # fmt: skip

    @staticmethod
    def _why(stage: StageStanding) -> str:
        return f"{stage.closed}" + (f": {stage.reasons[0]}" if stage.reasons and stage.decision != "GO" else "")

    def _run(self, stage: str, *, act: bool) -> str:
        if self.history.is_rehearsal:
            lab = str(self.migration.directory)
            return shlex.join(["kovra-checks", "run", stage, "--rehearse", "--lab", lab])
        return self._command("run", stage, *(["--apply"] if act else []))

    def _command(self, *words: str) -> str:
        return shlex.join(["kovra-checks", *words, *self.given])
