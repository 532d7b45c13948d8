"""A run that dies between two actions, again and again: each next one goes on from there, and nothing happens twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from fix_lab import fresh_block
from fix_rehearsal import Rehearsed, rehearse

from kovra_checks.lab.client import LabClient, remove_state
from kovra_checks.ledger import Ledger
from kovra_checks.stages import STAGES

# Where the run dies, and the stage in which that is. Gates of the stages before stand in the ledger.
DEATHS = (
    ("database", "import-database[main]"),
    ("cutover", "fence-writes[main]"),
    ("cutover", "final-sync[main]"),
    ("cutover", "swap-record[shop.example.test]"),
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabClient]:
    """A lab in use that outlives the runs."""
    client = LabClient.start(tmp_path / "lab", prefix=fresh_block().prefix)
    yield client
    client.stop()
    remove_state(client.directory)


def run(lab: LabClient, reports: Path, first: str, kill_after: str) -> Rehearsed:
    """The stages from *first* on, dying after *kill_after*; nowhere if it is empty."""
    path = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    environment = {"KILL_AFTER": kill_after, "PYTHONPATH": path.rstrip(os.pathsep)}
    stages = STAGES[STAGES.index(first) :]
    return rehearse(lab.directory, reports, "-p", "kill_after", stages=stages, environment=environment)


def test_killed_four_times(lab: LabClient, tmp_path: Path) -> None:
    """Killed after the import, the fence, the final copy and the swap, the move still ends GO.

    Each action was begun once and ended once, no user was let down, and no accepted order is lost.
    """
    first = STAGES[0]
    for stage, action in DEATHS:
        died = run(lab, tmp_path / "reports", first, action)
        assert died.exit_code == -signal.SIGKILL, died.output
        first = stage
    last = run(lab, tmp_path / "reports", first, "")
    assert (last.exit_code, last.verdict["verdict"]) == (0, "GO"), last.output
    ledger = Ledger(lab.directory / ".kovra" / "ledger.sqlite3")
    begun = Counter(entry.body["action"] for entry in ledger.entries("intent"))
    ended = Counter((entry.body["action"], entry.body["state"]) for entry in ledger.entries("outcome"))
    ledger.close()
    assert set(begun.values()) == set(ended.values()) == {1}
    assert set(ended) == {(action, "applied") for action in begun}
    assert {action for _, action in DEATHS} <= set(begun)
    assert lab.traffic().failed == 0
    assert lab.lost()["target"] == []
