"""What the ledger's entries mean: which gates stand open, what each action came to. Pure over a list of entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kovra_checks.access import ActionRecord
from kovra_checks.ledger.sqlite import Entry
from kovra_checks.stages import STAGES, earlier
from kovra_checks.units import format_duration

__all__ = ["History", "Unfinished"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An intent without an outcome: an action began and nobody knows how it ended."""

    action: str
    stage: str
    at: str
    run: str
    undo: dict[str, Any]


class History:
    """The ledger, read."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)

    def _of(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind in kinds]

    def closed_reason(  # noqa: PLR0911 - one return per reason
        self, stage: str, *, digest: str, rehearsal: bool, max_age: timedelta, now: datetime
    ) -> str | None:
        """Why the gate of *stage* does not stand open, or None if it does.

        The newest decision counts, whatever configuration it was for: a later look supersedes an earlier GO.
        """
        decisions = [entry for entry in self._of("decision") if entry.body["stage"] == stage]
        if not decisions:
            return f"{stage}: never decided"
        newest = decisions[-1]
        undone = [entry for entry in self._of("undo") if entry.body["stage"] == stage and entry.seq > newest.seq]
        if undone:
            return f"{stage}: rolled back at {undone[0].at}, after it was decided"
        age = now - datetime.fromisoformat(newest.at)
        if newest.body["state"] != "GO":
            return f"{stage}: {newest.body['state']} at {newest.at}"
        if newest.body["rehearsal"] != rehearsal:
            return f"{stage}: decided in a {'rehearsal' if newest.body['rehearsal'] else 'real migration'}"
        if newest.body["config_digest"] != digest:
            return f"{stage}: decided for another configuration (digest {newest.body['config_digest'][:12]})"
        if age > max_age:
            return f"{stage}: its evidence is {format_duration(age)} old, more than {format_duration(max_age)}"
        return None

    def closed_before(
        self, stage: str, *, digest: str, rehearsal: bool, max_age: timedelta, now: datetime
    ) -> list[str]:
        """Why actions of *stage* may not begin: each earlier gate that does not stand open.

        Up to the cutover every gate must be fresh. After it the gates up to the cutover tell of a world that is gone
        and cannot be looked at anew (a soak alone outlasts them): that they were GO is enough, and only what came after
        the cutover must be fresh.
        """
        settled = STAGES.index("cutover") if stage in STAGES[STAGES.index("cutover") + 1 :] else -1
        reasons = (
            self.closed_reason(
                before,
                digest=digest,
                rehearsal=rehearsal,
                max_age=timedelta.max if STAGES.index(before) <= settled else max_age,
                now=now,
            )
            for before in earlier(stage)
        )
        return [reason for reason in reasons if reason is not None]

    def decision(self, stage: str) -> Entry | None:
        """The newest decision on *stage*."""
        decisions = [entry for entry in self._of("decision") if entry.body["stage"] == stage]
        return decisions[-1] if decisions else None

    def approval(self, stage: str) -> Entry | None:
        """The newest approval of *stage*."""
        approvals = [entry for entry in self._of("approval") if entry.body["stage"] == stage]
        return approvals[-1] if approvals else None

    def unapproved_reason(self, stage: str, *, digest: str, max_age: timedelta, now: datetime) -> str | None:
        """Why the newest approval of *stage* has no force, or None if it has."""
        newest = self.approval(stage)
        if newest is None:
            return f"{stage}: never approved"
        age = now - datetime.fromisoformat(newest.at)
        if newest.body["config_digest"] != digest:
            return f"{stage}: approved for another configuration (digest {newest.body['config_digest'][:12]})"
        if age > max_age:
            return f"{stage}: its approval is {format_duration(age)} old, more than {format_duration(max_age)}"
        return None

    def states(self, stage: str) -> dict[str, tuple[str, str]]:
        """Of each action of *stage* that ever began: its state and since when.

        States: `applied`, `failed`, `undone`, `undo-failed`, `unfinished` (began, no end), `undoing` (likewise).
        """
        found: dict[str, tuple[str, str]] = {}
        for entry in self._of("intent", "undo", "outcome"):
            if entry.body.get("stage") == stage:
                begun = {"intent": "unfinished", "undo": "undoing"}
                found[entry.body["action"]] = (begun.get(entry.kind) or entry.body["state"], entry.at)
        return found

    @property
    def is_rehearsal(self) -> bool:
        """Whether the newest run was a rehearsal."""
        runs = self._of("run-started")
        return bool(runs) and bool(runs[-1].body.get("rehearsal", False))

    def applied(self, action: str) -> ActionRecord | None:
        """The newest `applied` outcome of *action*, unless it was undone or begun anew since."""
        record: ActionRecord | None = None
        for entry in self._of("intent", "outcome"):
            if entry.body["action"] != action:
                continue
            record = None
            if entry.kind == "outcome" and entry.body["state"] == "applied":
                record = ActionRecord(action, entry.at, entry.body.get("facts", {}))
        return record

    def unfinished(self) -> list[Unfinished]:
        """Actions whose newest intent has no outcome, oldest first."""
        begun: dict[str, Unfinished] = {}
        for entry in self._of("intent", "outcome"):
            action = entry.body["action"]
            if entry.kind == "intent":
                first = begun.get(action)
                undo = first.undo if first is not None else entry.body.get("undo", {})
                begun[action] = Unfinished(action, entry.body["stage"], entry.at, entry.run, undo)
            else:
                begun.pop(action, None)
        return list(begun.values())

    def undoable(self, stage: str) -> Sequence[Unfinished]:
        """Actions of *stage* that stand applied, failed half-way or unfinished, newest first: what a rollback undoes.

        The undo facts are those of the first intent since the action was last undone: they hold the old world.
        """
        standing: dict[str, Unfinished] = {}
        for entry in self._of("intent", "outcome"):
            body = entry.body
            if body.get("stage") != stage:
                continue
            if entry.kind == "intent" and body["action"] not in standing:
                standing[body["action"]] = Unfinished(body["action"], stage, entry.at, entry.run, body.get("undo", {}))
            elif entry.kind == "outcome" and body["state"] == "undone":
                standing.pop(body["action"], None)
        return list(reversed(standing.values()))
