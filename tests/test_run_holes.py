"""The holes through which a gate could open without evidence are closed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest
from fix_engine import Project

from kovra_checks.stages import STAGES
from kovra_checks.waiting import wait_for

Run = Callable[..., pytest.RunResult]
BEFORE = [f"suites/{stage}" for stage in STAGES[: STAGES.index("precutover")]]


def test_deselection_never_opens_a_gate(project: Project, run_suites: Run) -> None:
    """-k leaves checks out: INCONCLUSIVE, though everything that ran passed."""
    result = run_suites("suites/readiness", "-k", "web")
    assert result.ret == 14
    [stage] = project.verdict()["stages"]
    assert any("deselected" in reason for reason in stage["reasons"])
    assert project.outcomes() == {"demo-readiness[api]": "not-run", "demo-readiness[web]": "passed"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-k", "web", "--apply"], "-k, -m and --deselect cannot be used when actions are applied"),
        (["--plan", "abc"], "give both"),
        (["--fault", "x"], "belong to a rehearsal"),
        (["-n", "2", "--dist", "loadfile"], "distributed by stage"),
    ],
)
def test_what_defeats_gates_is_a_usage_error(project: Project, arguments: list[str], told: str) -> None:
    """Options that reorder, repeat or narrow are refused before anything is touched."""
    result = project.run("suites/readiness", *arguments)
    assert result.ret == 4
    assert told in result.stderr.str() + result.stdout.str()
    assert project.log() == []


def test_reordering_by_earlier_results_is_a_usage_error(project: Project) -> None:
    """--last-failed runs a part of the checks: refused."""
    result = project.pytester.runpytest_subprocess("suites/readiness", "--lf")
    assert result.ret == 4
    assert "a gate needs every check" in result.stderr.str()


def test_no_configuration_is_a_usage_error(project: Project) -> None:
    """Without migration.toml, --migration or --rehearse nothing runs, and the message names all three."""
    (project.path / "migration.toml").unlink()
    result = project.run("suites/readiness")
    assert result.ret == 4
    assert "--migration FILE" in result.stderr.str()
    assert "--rehearse" in result.stderr.str()


def test_collect_only_touches_nothing(project: Project, run_suites: Run) -> None:
    """--collect-only lists the items; no question, no plan, no lease, no verdict."""
    result = run_suites("suites", "--collect-only", "-q")
    assert result.ret == 0
    assert project.log() == []
    assert not (project.path / "reports").exists()


def test_one_check_alone_is_not_a_gate(project: Project) -> None:
    """Running a single node id leaves the others not-run: INCONCLUSIVE."""
    assert project.run("suites/readiness/test_demo.py::test_demo_readiness[web]").ret == 14
    assert project.outcomes() == {"demo-readiness[api]": "not-run", "demo-readiness[web]": "passed"}


def test_stopping_at_the_first_failure_keeps_gates_shut(project: Project, run_suites: Run) -> None:
    """-x ends the session: the gate is not GO and later stages do not run, parked items included."""
    project.says({"readiness-api": "odd"})
    result = run_suites("suites", "--apply", "-x")
    assert result.ret in (2, 10)
    assert project.verdict()["verdict"] == "NO-GO"
    assert not [line for line in project.log() if line.startswith("apply") or "postcutover" in line]


def test_a_plain_test_in_a_stage_is_refused(project: Project) -> None:
    """A test function that is no check would count for nothing: it is an error, not a decoration."""
    (project.path / "suites/readiness/test_plain.py").write_text("def test_plain():\n    assert True\n")
    result = project.run("suites/readiness")
    assert result.ret == 4
    assert "is not a check" in result.stderr.str() + result.stdout.str()


def test_a_worker_that_dies_in_a_check_is_no_pass(project: Project) -> None:
    """os._exit inside a check under -n 2: broken or not run, the gate is shut, later stages are not reached."""
    project.says({"readiness-api": "crash"})
    result = project.run("suites", "--apply", "-n", "2")
    assert result.ret in (10, 14)
    assert project.outcomes()["demo-readiness[api]"] == "broken"
    assert project.gates()["provision"] == "not-reached"
    assert not [line for line in project.log() if line.startswith("apply")]


def test_a_worker_that_dies_in_an_action_leaves_it_unknown(project: Project) -> None:
    """os._exit inside an action under -n 2: exit 12, the second action does not start."""
    project.says({"fence.a": "crash-after"})
    result = project.run("suites", "--apply", "-n", "2")
    assert result.ret == 12
    assert project.verdict()["verdict"] == "UNKNOWN"
    assert project.actions()["fence[a]"] == "unknown"
    assert not [line for line in project.log() if "swap" in line]


@pytest.mark.parametrize(("said", "applied"), [("crash-before", 2), ("crash-after", 2)])
def test_a_run_killed_inside_an_action_is_resumed(project: Project, said: str, applied: int) -> None:
    """The only process dies in an action; the next run looks first, then adopts or completes it."""
    project.says({"lower.a": said})
    assert project.run(*BEFORE, "suites/precutover", "--apply").ret not in (0, 10)
    assert (project.path / "done-lower.a").exists() is (said == "crash-after")
    project.says({})
    assert project.run("suites/precutover", "--apply").ret == 0
    assert project.actions() == {"lower[a]": "applied"}
    assert project.log().count("apply lower.a") == applied
    kinds = [json.loads(row[0]).get("state") for row in rows(project, "outcome")]
    assert kinds == ["applied"]


def test_applied_actions_are_not_applied_again(project: Project, run_suites: Run) -> None:
    """A second run finds the effect of the first in the world and the ledger, and keeps it."""
    assert run_suites("suites", "--apply").ret == 0
    project.forget()
    assert run_suites("suites", "--apply").ret == 0
    assert not [line for line in project.log() if line.startswith("apply")]
    assert set(project.actions().values()) == {"applied"}


def rows(project: Project, kind: str) -> list[tuple[str]]:
    """Bodies of the ledger's entries of one kind."""
    with sqlite3.connect(project.ledger) as db:
        return db.execute("SELECT body FROM entries WHERE kind = ? ORDER BY seq", (kind,)).fetchall()


def test_ctrl_c_ends_in_order(project: Project, run_suites: Run) -> None:
    """An interrupt inside a check: pytest's exit 2, a verdict that is not GO, the lease given back."""
    project.says({"readiness-web": "interrupt"})
    assert run_suites("suites/readiness").ret == 2
    assert project.verdict()["verdict"] == "INCONCLUSIVE"
    project.says({})
    assert run_suites("suites/readiness").ret == 0


def test_the_second_runner_is_refused(project: Project) -> None:
    """While a run holds the lease another one ends with a usage error that names it."""
    (project.path / "demo.py").write_text(
        (project.path / "demo.py")
        .read_text()
        .replace(
            "    said = world(question.name)\n",
            "    said = world(question.name)\n    while (HERE / 'hold').exists(): time.sleep(0.02)\n",
        )
    )
    hold = project.path / "hold"
    hold.touch()
    command = [sys.executable, "-m", "pytest", "suites/readiness", "-p", "no:cacheprovider"]
    first = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        assert wait_for(lambda: "ask shared" in project.log() or None, deadline=20)
        second = project.run("suites/readiness", "--reports", "elsewhere")
        assert second.ret == 4
        assert f"pid {first.pid}" in second.stderr.str()
    finally:
        hold.unlink()
    assert first.wait(timeout=20) == 0


def test_a_terminated_run_leaves_a_verdict(project: Project) -> None:
    """SIGTERM (a cancelled CI job) ends like Ctrl-C: verdict written, not GO, lease given back."""
    (project.path / "demo.py").write_text(
        (project.path / "demo.py").read_text().replace('log(f"judge {name}")', 'log(f"judge {name}"); time.sleep(30)')
    )
    command = [sys.executable, "-m", "pytest", "suites/readiness", "-p", "no:cacheprovider"]
    run = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL, start_new_session=True)
    assert wait_for(lambda: any(line.startswith("judge") for line in project.log()) or None, deadline=20)
    os.kill(run.pid, signal.SIGTERM)
    assert run.wait(timeout=20) == 2
    assert project.verdict()["verdict"] == "INCONCLUSIVE"


def test_evidence_is_judged_again_without_the_world(project: Project, run_suites: Run) -> None:
    """--replay-evidence reaches the same verdict and asks nothing; a changed byte is refused."""
    project.says({"precutover-web": "odd"})
    assert run_suites("suites", "--apply").ret == 10
    before = project.outcomes()
    project.forget()
    (project.path / "world.json").unlink()
    assert run_suites("suites", "--replay-evidence", "reports/evidence").ret == 10
    assert project.outcomes("reports/replay") == before
    assert not [line for line in project.log() if not line.startswith("judge")]
    evidence = project.path / "reports/evidence/readiness.jsonl"
    evidence.write_bytes(evidence.read_bytes().replace(b"fine", b"fInE", 1))
    refused = run_suites("suites", "--replay-evidence", "reports/evidence")
    assert refused.ret == 4
    assert "readiness.jsonl" in refused.stderr.str()


def test_patience_waits_for_a_moment_that_is_near(project: Project, run_suites: Run) -> None:
    """With policy.patience a stage waits for a known moment and asks again instead of giving up."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    with (project.path / "migration.toml").open("a") as file:
        file.write('[policy]\npatience = "30s"\n')
    soon = datetime.now(UTC) + timedelta(seconds=6)
    project.says({"readiness-web": f"early:{soon.isoformat()}"})
    assert run_suites("suites/readiness").ret == 0
    assert project.log().count("ask readiness-web") >= 1
    assert datetime.now(UTC) > soon
