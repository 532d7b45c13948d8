"""`kovra-checks rollback`: back, knowing what it costs."""

from __future__ import annotations

import pytest
from fix_engine import Project
from test_cli_plan import BEFORE, command

from kovra_checks.ledger import Ledger
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.observations.postgres import CriticalAnswer, LargeObjects, Position, RowCounts, SequencePositions
from kovra_checks.outcome import as_json
from kovra_checks.rules import losses

SEQUENCES = {"public.orders_id_seq": Position(7, is_called=True, increment=1)}
ANSWER = CriticalAnswer(("sum",), 1, "a" * 64, (("12",),))
OBJECTS = LargeObjects(1, "b" * 64)
COPIED = AppliedAction(
    applied=True,
    facts={
        "sequences": {name: dict(as_json(position)) for name, position in SEQUENCES.items()},
        "large_objects": dict(as_json(OBJECTS)),
        "imported": {"counts": {"public.orders": 7}, "queries": {"total": dict(as_json(ANSWER))}},
    },
)


@pytest.fixture
def moved(project: Project) -> Project:
    """A project whose cutover was applied and is GO."""
    done = project.run(*BEFORE, "suites/cutover", "--apply")
    assert done.ret == 0, done.stdout.str()
    project.forget()
    return project


def test_nothing_to_roll_back(project: Project) -> None:
    """Without a ledger, and with one that knows no cutover: exit 0, and it says so."""
    done = command(project, "rollback", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to roll back: there is no ledger" in done.stdout
    assert not project.ledger.exists()
    assert project.run("suites/readiness").ret == 0
    done = command(project, "rollback", "--yes")
    assert (done.returncode, done.stdout) == (0, "nothing to roll back: no action of the cutover stands\n")


def test_nobody_is_asked_without_a_terminal(moved: Project) -> None:
    """Without --yes and without a terminal it says what it would do, does nothing, exit 10."""
    done = command(moved, "rollback")
    assert done.returncode == 10
    assert done.stdout.index("swap-record[b], begun at") < done.stdout.index("fence[a], begun at")
    assert "give --yes" in done.stdout
    assert moved.log() == []


def test_back_again(moved: Project) -> None:
    """Newest first, told and recorded; exit 13; the cutover's gate is closed; a second time nothing is left."""
    done = command(moved, "rollback", "--yes")
    assert done.returncode == 13, done.stdout + done.stderr
    assert moved.log() == ["undo swap-record.b to old", "undo fence.a to old"]
    assert "it would lose nothing" in done.stdout
    assert "ROLLED-BACK at " in done.stdout
    [verdict] = Ledger(moved.ledger).entries("verdict")[-1:]
    assert verdict.body["verdict"] == "ROLLED-BACK"
    assert verdict.body["undone"] == ["swap-record[b]", "fence[a]"]
    status = command(moved, "status").stdout
    assert "cutover: GO, not open" in status
    assert "rolled back at" in status
    assert command(moved, "rollback", "--yes").returncode == 0
    assert Ledger(moved.ledger).verify() > 0
    assert list((moved.path / "reports" / "rollback").glob("*/evidence/manifest.json"))


def test_an_undo_that_fails_stops_it(moved: Project) -> None:
    """Exit 11, the rest stands as it was and is told; the next rollback goes on from there."""
    demo = moved.path / "demo.py"
    whole = demo.read_text()
    failing = 'raise ActionFailed("undo it", seen="it would not", remedy="push harder")'
    demo.write_text(whole.replace("log(f\"undo {self.key} to {undo['old']}\")", failing))
    done = command(moved, "rollback", "--yes")
    assert done.returncode == 11
    assert "rollback stopped: swap-record[b]: undo it: it would not. push harder" in done.stdout
    assert "Traceback" not in done.stderr
    assert "swap-record[b]: undo-failed" in command(moved, "status").stdout
    demo.write_text(whole)
    assert command(moved, "rollback", "--yes").returncode == 13


def test_the_lease_of_another_run(moved: Project) -> None:
    """While somebody else is at work nothing is undone, and they are named."""
    ledger = Ledger(moved.ledger)
    ledger.acquire("another-run")
    done = command(moved, "rollback", "--yes")
    assert done.returncode == 1
    assert "run another-run (pid " in done.stderr
    assert "Traceback" not in done.stderr
    assert moved.log() == []


def test_what_cannot_be_known_counts_as_lost(moved: Project) -> None:
    """A database without a record of the final copy: refused with exit 10, unless the loss is accepted."""
    with (moved.path / "migration.toml").open("a") as file:
        file.write('[databases.main]\nsource_url = "env:NO_SOURCE"\ntarget_url = "env:NO_TARGET"\n')
    done = command(moved, "rollback", "--yes")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "cannot be known" in done.stdout
    assert "or give --accept-loss" in done.stdout
    assert moved.log() == []
    assert command(moved, "rollback", "--yes", "--accept-loss").returncode == 13
    [verdict] = Ledger(moved.ledger).entries("verdict")[-1:]
    assert "cannot be known" in verdict.body["accepted_loss"][0]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"public.orders": 7}, []),
        ({"public.orders": 9}, ["rows in public.orders on the target (9) == at the final copy (7)"]),
        ({}, ["rows in public.orders on the target (no such table) == at the final copy (7)"]),
        ({"public.orders": 7, "public.new": 1},
         ["rows in public.new on the target (1) == at the final copy (no such table)"]),
    ],
)  # fmt: skip
def test_rows_since_the_copy(now: dict[str, int], told: list[str]) -> None:
    """More, fewer, or other tables than right after the final copy."""
    assert [str(finding) for finding in losses.rows_since(COPIED, RowCounts(now))] == told


def test_sequences_since_the_copy() -> None:
    """A value that was given out is a write, even if its row is gone again."""
    assert losses.sequences_since(COPIED, SequencePositions(SEQUENCES)) == []
    now = SequencePositions({"public.orders_id_seq": Position(9, is_called=True, increment=1)})
    assert [str(finding) for finding in losses.sequences_since(COPIED, now)] == [
        "next value of public.orders_id_seq on the target (10) == at the final copy (8)"
    ]


def test_values_since_the_copy() -> None:
    """Changes in place show in critical queries and in large objects."""
    assert losses.values_since(COPIED, {"total": ANSWER}, OBJECTS) == []
    changed = CriticalAnswer(("sum",), 1, "c" * 64, (("13",),))
    assert [str(finding) for finding in losses.values_since(COPIED, {"total": changed}, LargeObjects(2, "d" * 64))] == [
        "answer of total on the target (cccccccccccc) == at the final copy (aaaaaaaaaaaa)",
        "large objects on the target (2, dddddddddddd) == at the final copy (1, bbbbbbbbbbbb)",
    ]
