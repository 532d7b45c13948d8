"""The whole rehearsal as a newcomer runs it: GO, nobody let down, reports that hold, nothing that leaks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fix_rehearsal import ROOT, Rehearsed, Watched, guarded, secrets_of

from kovra_checks.cli.main import main
from kovra_checks.lab.setting import CANARY


def test_says_go(whole_rehearsal: Watched) -> None:
    """A healthy move ends GO with exit code 0, and every check of the checklist has passed."""
    run = whole_rehearsal.run
    assert (run.exit_code, run.verdict["verdict"]) == (0, "GO"), run.output
    assert set(run.outcomes.values()) == {"passed"}
    assert len(run.outcomes) >= 63


def test_users_are_not_let_down(whole_rehearsal: Watched) -> None:
    """Of at least two thousand real requests none fails, and no accepted order is lost; the run checks that itself."""
    run = whole_rehearsal.run
    traffic = run.traffic
    assert traffic["requests"] >= 2000
    assert (traffic["failed"], traffic["lost"]) == (0, 0)
    assert traffic["acknowledged"] > 100
    assert traffic["deferred"] > 0, "the fence was never felt: nothing was proven"
    judged = [name for name in run.outcomes if "rehearsal-loses-nothing" in name]
    assert [name.split("/")[0] for name in judged] == ["postcutover", "decommission"]


def test_reports_are_complete(whole_rehearsal: Watched) -> None:
    """Verdict, summary, JUnit, Allure results and evidence are there."""
    reports = whole_rehearsal.run.reports
    for name in ("verdict.json", "summary.html", "junit.xml", "allure-results", "evidence/manifest.json"):
        assert (reports / name).exists(), name
    assert len(list((reports / "allure-results").glob("*-result.json"))) >= len(whole_rehearsal.run.outcomes)


def test_evidence_is_as_sealed(whole_rehearsal: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    """`kovra-checks verify` accepts the folder once the session and its lab are gone."""
    assert main(["verify", str(whole_rehearsal.run.reports / "evidence")]) == 0
    assert "are as sealed" in capsys.readouterr().out


def test_replay_without_network(whole_rehearsal: Watched, tmp_path: Path) -> None:
    """Judging the evidence again, with every use of the network an error, comes to the same outcome of every check."""
    evidence = whole_rehearsal.run.reports / "evidence"
    command = [sys.executable, "-m", "pytest", "suites", "--replay-evidence", str(evidence), "--reports",
               str(tmp_path / "reports"), "-p", "no:cacheprovider"]  # fmt: skip
    environment = {**os.environ, **guarded(tmp_path / "guard", "refuse_everything")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    replayed = Rehearsed(done.returncode, done.stdout + done.stderr, tmp_path / "reports", tmp_path)
    assert (replayed.exit_code, replayed.verdict["verdict"]) == (0, "GO"), replayed.output
    assert replayed.outcomes == whole_rehearsal.run.outcomes


def test_nothing_looks_outside(whole_rehearsal: Watched) -> None:
    """No Python process of a rehearsal connects, sends or resolves beyond this machine."""
    assert whole_rehearsal.run.exit_code == 0
    assert whole_rehearsal.outside == ""


def test_no_secret_on_a_command_line(whole_rehearsal: Watched) -> None:
    """`ps` shows no secret while a rehearsal runs."""
    values = [value.encode() for value in secrets_of(whole_rehearsal.run.lab).values()]
    assert len(whole_rehearsal.command_lines) > 5
    assert [line for line in whole_rehearsal.command_lines if any(value in line for value in values)] == []


def test_distributed_is_the_same(whole_rehearsal: Watched, rehearsing: Callable[..., Rehearsed]) -> None:
    """With four workers, where an earlier run's reports lie: the same checks and outcomes; the old reports are kept."""
    first = whole_rehearsal.run
    reports = first.reports.with_name("again")
    shutil.copytree(first.reports, reports)
    again = rehearsing("-n", "4", reports=reports)
    assert (again.exit_code, again.verdict["verdict"]) == (0, "GO"), again.output
    assert again.outcomes == first.outcomes
    assert again.traffic["failed"] == again.traffic["lost"] == 0
    kept = reports / "history" / first.verdict["run_id"]
    assert (kept / "verdict.json").read_bytes() == (first.reports / "verdict.json").read_bytes()
    assert main(["verify", str(kept / "evidence")]) == main(["verify", str(reports / "evidence")]) == 0


def hidden_in(folders: list[Path]) -> Iterator[Path]:
    """Every file below *folders* but database dumps, which hold the customer's data and stay on this machine."""
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".dump")


def test_no_secret_is_written_down(rehearsing: Callable[..., Rehearsed], tmp_path: Path) -> None:
    """When a check fails, no secret stands in any report, the evidence, the ledger, a log or on the screen.

    The fault is one of the last stage, so that everything a move says has been said.
    """
    run = rehearsing("--fault", "ttl-not-restored")
    assert (run.exit_code, run.outcomes["decommission/ttl-is-restored[shop.example.test]"]) == (10, "failed"), (
        run.output
    )
    assert "what to do" in run.output
    values = secrets_of(run.lab)
    assert all(value.startswith(CANARY) for value in values.values())
    places = [run.reports, run.lab / ".kovra"]
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in hidden_in(places)}
    files |= {"the screen": run.output.encode(), "lab.log": (run.lab / "lab.log").read_bytes()}
    assert any(name.endswith("ledger.sqlite3") for name in files)
    assert [
        (name, key) for name, data in files.items() for key, value in values.items() if value.encode() in data
    ] == []
