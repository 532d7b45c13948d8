"""What the ledger's entries mean: which gates stand open, what each action came to. Pure over a list of entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kovra_checks.access import ActionRecord
from kovra_checks.ledger.sqlite import Entry
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

    def closed_reason(
        self, stage: str, *, digest: str, rehearsal: bool, max_age: timedelta, now: datetime
    ) -> str | None:
        """Why the gate of *stage* does not stand open, or None if it does.

        The newest decision counts, whatever configuration it was for: a later look supersedes an earlier GO.
        """
        decisions = [entry for entry in self._of("decision") if entry.body["stage"] == stage]
        if not decisions:
            return f"{stage}: never decided"
        newest = decisions[-1]
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
