"""The journal: what all processes of one run must know of each other, as small files in the run's folder.

pytest-xdist offers no message from the controller to a running worker, so decisions travel by files: written whole and
renamed into place, by one writer each, and read by everyone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["WORKERINPUT", "Journal"]

WORKERINPUT = "kovra_checks"  # under which a worker is told, when it starts, what run it is part of

PROGRESS = "progress.jsonl"


class Journal:
    """Facts of one run, by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, data: Any) -> None:
        """Publish *data* as *name*, replacing what was there."""
        temporary = self.directory / f".{name}.{os.getpid()}"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.directory / f"{name}.json")

    def read(self, name: str) -> Any:
        """What was published as *name*, or None."""
        try:
            return json.loads((self.directory / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def note(self, subject: str, text: str) -> None:
        """Append one line of progress."""
        with (self.directory / PROGRESS).open("a", encoding="utf-8") as file:
            file.write(json.dumps([subject, text]) + "\n")

    def notes(self, offset: int) -> tuple[list[tuple[str, str]], int]:
        """Whole lines of progress from *offset* on, and where the next begin."""
        path = self.directory / PROGRESS
        if not path.exists():
            return [], offset
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        return [tuple(json.loads(line)) for line in whole.splitlines()], offset + len(whole)

    def gate_is_open(self, stage: str) -> bool:
        """Whether the gate of *stage* was decided GO in this run."""
        decision = self.read(f"gate-{stage}")
        return decision is not None and decision["state"] == "GO"

    def halt(self, stage: str, reason: str) -> None:
        """No further action or check of *stage* may run."""
        if self.read(f"halted-{stage}") is None:
            self.write(f"halted-{stage}", reason)

    def halted(self, stage: str) -> str | None:
        """Why *stage* was halted, or None."""
        reason: str | None = self.read(f"halted-{stage}")
        return reason
