"""`kovra-checks status`: where a migration stands, read from its ledger alone."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fix_engine import Project

from kovra_checks.cli.main import main
from kovra_checks.config import load
from kovra_checks.ledger import Ledger
from kovra_checks.stages import STAGES


class Kept:
    """The project's ledger, filled by hand: status needs nothing else."""

    def __init__(self, project: Project) -> None:
        self.ledger = Ledger(project.ledger)
        self.digest = load(project.path / "migration.toml").digest

    def decided(self, *stages: str, state: str = "GO", **more: Any) -> None:
        """A decision on each of *stages*."""
        for stage in stages:
            body = {"stage": stage, "state": state, "reasons": [], "until": None, "config_digest": self.digest,
                    "rehearsal": False} | more  # fmt: skip
            self.ledger.append("decision", body, run="r1")

    def acted(self, action: str, *states: str, stage: str = "cutover") -> None:
        """An intent, then outcomes."""
        self.ledger.append("intent", {"action": action, "stage": stage, "undo": {}}, run="r1")
        for state in states:
            self.ledger.append("outcome", {"action": action, "stage": stage, "state": state, "facts": {}}, run="r1")


@pytest.fixture
def kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """A ledger to fill, and the command is started beside it."""
    monkeypatch.chdir(project.path)
    return Kept(project)


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `status --json` says."""
    assert main(["status", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_before_the_first_look(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No ledger: it says so, names the first command, and makes none."""
    monkeypatch.chdir(project.path)
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert "nothing in it yet" in told
    assert "next: kovra-checks run readiness\n" in told
    assert not project.ledger.exists()


def test_a_named_configuration_is_named_in_the_next_command(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is to be run can be copied as it is."""
    path = project.path / "migration.toml"
    assert main(["status", "--migration", str(path)]) == 0
    assert f"next: kovra-checks run readiness --migration {path}\n" in capsys.readouterr().out


def test_open_gates_and_what_comes_next(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """Decided stages are open with the end of their freshness; the next is the first that is not."""
    kept.decided("readiness")
    told = status(capsys)
    assert [stage["is_open"] for stage in told["stages"]] == [True] + [False] * 7
    fresh = datetime.fromisoformat(told["stages"][0]["fresh_until"])
    assert timedelta(hours=23) < fresh - datetime.now(UTC) <= timedelta(hours=24)
    assert told["next"]["command"] == "kovra-checks run provision --apply"
    assert main(["status"]) == 0
    assert f"open; fresh until {fresh:%Y-%m-%d %H:%M:%S} UTC" in capsys.readouterr().out


def test_why_a_gate_does_not_stand_open(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """NO-GO with its reasons; GO for another configuration; too early, with the clock time."""
    until = datetime.now(UTC) + timedelta(hours=1)
    kept.decided("readiness", config_digest="e" * 64)
    kept.decided("pitfalls", state="NO-GO", reasons=["some-check[web]: failed"])
    kept.decided("precutover", state="INCONCLUSIVE", until=until.isoformat(), reasons=["ttl"])
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert "readiness: GO, not open at " in told
    assert "    decided for another configuration (digest eeeeeeeeeeee)" in told
    assert "    some-check[web]: failed" in told
    assert f"    not before {until:%Y-%m-%d %H:%M:%S} UTC" in told


def test_a_stage_that_waits_for_a_moment(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """The next command comes with the moment before which it is of no use."""
    until = datetime.now(UTC) + timedelta(hours=1)
    kept.decided(*STAGES[:6])
    kept.decided("postcutover", state="INCONCLUSIVE", until=until.isoformat(), reasons=["soak"])
    told = status(capsys)["next"]
    assert told["command"] == "kovra-checks run postcutover"
    assert datetime.fromisoformat(told["not_before"]) == until


def test_actions_that_have_no_end(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """An action that began and has no outcome is told, and acting again looks at it first."""
    kept.decided(*STAGES[:5])
    kept.acted("swap-record[b]")
    told = status(capsys)
    assert told["stages"][5]["actions"][0]["state"] == "unfinished"
    assert told["next"]["command"] == "kovra-checks run cutover --apply"
    assert "no recorded end" in told["next"]["why"]


def test_a_cutover_that_stands_half_way(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """NO-GO with actions applied: back is next."""
    kept.decided(*STAGES[:5])
    kept.acted("swap-record[b]", "applied")
    kept.decided("cutover", state="NO-GO", reasons=["odd"])
    assert status(capsys)["next"]["command"] == "kovra-checks rollback"
    kept.ledger.append("undo", {"action": "swap-record[b]", "stage": "cutover"}, run="r2")
    kept.acted("other[c]", "applied", "undone")
    told = status(capsys)
    assert {one["id"]: one["state"] for one in told["stages"][5]["actions"]} == {
        "swap-record[b]": "undoing", "other[c]": "undone",
    }  # fmt: skip
    assert told["next"]["command"] == "kovra-checks rollback"


def test_the_end(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """Every gate open: nothing is left to start."""
    kept.decided(*STAGES)
    told = status(capsys)["next"]
    assert (told["command"], told["why"]) == (None, "every gate stands open: the move is done")


def test_who_holds_the_lease(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is at work is named, and there is nothing to start meanwhile."""
    lease = kept.ledger.acquire("20260301-1")
    told = status(capsys)
    assert told["holder"]["run"] == "20260301-1"
    assert told["next"] == {
        "command": None, "why": "run 20260301-1 is at work; look again when it has ended", "not_before": None,
    }  # fmt: skip
    kept.ledger.release(lease)
    assert status(capsys)["holder"] is None


def test_approvals_are_shown(project: Project, kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """A stage that needs one says so; one for an earlier configuration has no force any more."""
    main(["approve", "provision", "--by", "Ada", "--reason", "change 1"])
    with (project.path / "migration.toml").open("a") as file:
        file.write('[policy]\napprovals = ["provision"]\n')
    kept.digest = load(project.path / "migration.toml").digest
    kept.decided("readiness")
    capsys.readouterr()
    told = status(capsys)
    assert told["stages"][1]["approval_needed"]
    assert told["next"]["command"] == "kovra-checks approve provision --by NAME --reason TEXT"
    main(["status"])
    assert "no force any more: provision: approved for another configuration" in capsys.readouterr().out
    main(["approve", "provision", "--by", "Ada", "--reason", "change 2"])
    capsys.readouterr()
    assert status(capsys)["next"]["command"] == "kovra-checks run provision --apply"


@pytest.mark.parametrize("damage", ["garbage", "changed"])
def test_a_damaged_ledger(project: Project, kept: Kept, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    """It is not interpreted: exit 1, one sentence that names the file."""
    kept.decided("readiness")
    kept.ledger.close()
    if damage == "garbage":
        for path in project.ledger.parent.glob("ledger.sqlite3-*"):
            path.unlink()
        project.ledger.write_bytes(b"nonsense " * 1000)
    else:
        db = sqlite3.connect(project.ledger)
        db.execute("DROP TRIGGER entries_are_final")
        db.execute("UPDATE entries SET at = '2020-01-01T00:00:00+00:00'")
        db.commit()
        db.close()
    assert main(["status"]) == 1
    seen = capsys.readouterr()
    assert seen.out == ""
    assert str(project.ledger) in seen.err
