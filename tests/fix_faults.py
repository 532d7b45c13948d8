"""A move in the lab, taken stage by stage: each can be run again from the state before it, with something broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.lab.copying import copy_state, remove_state
from kovra_checks.lab.faults import FAULTS
from kovra_checks.stages import STAGES

__all__ = ["StageRun", "StagedMove", "staged_move"]

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage, run as a user would.

    Attributes:
        exit_code: pytest's.
        verdict: verdict.json; empty if none was written.
        output: What stood on the screen.
    """

    exit_code: int
    verdict: dict[str, Any]
    output: str

    @property
    def noticed(self) -> set[str]:
        """Ids (without subject) of the checks that failed or could not look."""
        return {check["id"] for check in self._unwell()}

    @property
    def failed_actions(self) -> set[str]:
        """Ids of the actions that did not succeed."""
        return {action["id"] for action in self.verdict["actions"] if action["state"] in ("failed", "unknown")}

    @property
    def said(self) -> str:
        """What the checks and actions that went wrong say, with what to do."""
        checks = [line for check in self._unwell() for line in (*check["findings"], check["remedy"])]
        actions = [one["message"] for one in self.verdict["actions"] if one["id"] in self.failed_actions]
        return "\n".join(checks + actions)

    def _unwell(self) -> list[dict[str, Any]]:
        return [check for check in self.verdict["checks"] if check["outcome"] in ("failed", "broken")]


class StagedMove:
    """The states of one healthy move before each of its stages, made when first needed.

    Args:
        seeded: Folder of a stopped lab before the move.
        home: Where the states are kept.
    """

    def __init__(self, seeded: Path, home: Path) -> None:
        self._home = home
        self._before = {STAGES[0]: seeded}

    def before(self, stage: str) -> Path:
        """Folder of the stopped lab as it is before *stage*. Fails the test if a stage until then is not GO."""
        if stage not in self._before:
            previous = STAGES[STAGES.index(stage) - 1]
            folder = self._home / f"before-{stage}"
            copy_state(self.before(previous), folder)
            run = self._run(previous, folder)
            assert run.exit_code == 0, f"nothing is broken, and yet {previous} is not GO:\n{run.output}"
            self._before[stage] = folder
        return self._before[stage]

    def broken_by(self, fault: str) -> StageRun:
        """Run the fault's stage with it, from a copy of the state before."""
        stage = FAULTS[fault].stage
        folder = self._home / fault
        copy_state(self.before(stage), folder)
        try:
            return self._run(stage, folder, "--fault", fault)
        finally:
            remove_state(folder)

    def close(self) -> None:
        """Delete what was made here; the seeded lab is another's."""
        for stage in STAGES[1:]:
            if stage in self._before:
                remove_state(self._before[stage])

    def _run(self, stage: str, folder: Path, *more: str) -> StageRun:
        reports = folder / f"reports-{stage}"  # the copy holds those of the stages before
        command = [
            *(sys.executable, "-m", "pytest", f"suites/{stage}", "--rehearse", "--lab", str(folder)),
            *("--reports", str(reports), "-q", "-p", "no:cacheprovider", "-p", "no:allure_pytest", *more),
        ]
        # Nothing of this pytest; and modules are compiled once for all runs, wherever bytecode is not to be written.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONDONT"))}
        environment = kept | {"PYTHONPYCACHEPREFIX": str(self._home / "bytecode")}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        told = reports / "verdict.json"
        verdict = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
        return StageRun(done.returncode, verdict, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def staged_move(seeded_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StagedMove]:
    """One healthy move per test process, on that process's address block."""
    move = StagedMove(seeded_lab, tmp_path_factory.mktemp("staged"))
    yield move
    move.close()
