"""`kovra-checks plan` and `approve`: reviewed before it is done."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fix_engine import Project

from kovra_checks.ledger import Ledger
from kovra_checks.stages import STAGES

BEFORE = [f"suites/{stage}" for stage in STAGES[: STAGES.index("cutover")]]


def command(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, started in the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "kovra_checks.cli.main", *arguments],
        cwd=project.path, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def ask_for_approvals(project: Project) -> None:
    """The cutover needs one."""
    with (project.path / "migration.toml").open("a") as file:
        file.write('[policy]\napprovals = ["cutover"]\n')


def test_plan_shows_and_changes_nothing(project: Project) -> None:
    """Each action with its steps, and one checksum; nothing is applied and no ledger appears."""
    done = command(project, "plan", "cutover")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:4] == ["fence[a]", "    fence.a: old -> new", "swap-record[b]", "    swap-record.b: old -> new"]
    assert lines[4] == "cutover: 2 actions planned, 2 changes, 0 that cannot be planned"
    assert [line for line in project.log() if not line.startswith("plan")] == []
    assert not project.ledger.exists()


def test_the_reviewed_plan_is_the_one_applied(project: Project) -> None:
    """The checksum that plan shows is the one --apply --plan takes; another is refused."""
    told = json.loads(command(project, "plan", "precutover", "--json").stdout)
    assert [plan["action"] for plan in told["plans"]] == ["lower[a]"]
    assert told["problems"] == []
    earlier = project.run(*BEFORE[:-1])
    assert earlier.ret == 0, earlier.stdout.str()
    assert project.run("suites/precutover", "--apply", "--plan", "0" * 12).ret == 10
    assert project.run("suites/precutover", "--apply", "--plan", told["checksum"]).ret == 0
    assert project.actions() == {"lower[a]": "applied"}
    again = json.loads(command(project, "plan", "precutover", "--json").stdout)
    assert again["plans"][0]["steps"] == []


def test_a_stage_without_actions(project: Project) -> None:
    """It says that the stage only looks."""
    done = command(project, "plan", "readiness")
    assert (done.returncode, done.stdout) == (
        0, "readiness has no actions: it only looks (kovra-checks run readiness)\n",
    )  # fmt: skip


def test_what_cannot_be_planned_has_no_checksum(project: Project) -> None:
    """A plan with a gap is shown with its gap, exit 1, and nothing that could be passed to --plan."""
    demo = project.path / "demo.py"
    said = 'raise CouldNotLook("read the world", seen="no answer", remedy="plug it in")'
    demo.write_text(demo.read_text().replace('log(f"plan {self.key}")', said))
    done = command(project, "plan", "cutover")
    assert done.returncode == 1
    assert "fence[a]: cannot be planned yet\n    read the world: no answer\n    what to do: plug it in" in done.stdout
    assert "no checksum: a plan with a gap cannot be reviewed" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["plan"], ["approve", "--by", "Ada", "--reason", "because"]])
def test_a_word_that_is_no_stage(project: Project, arguments: list[str]) -> None:
    """Exit 4, with the nearest stage."""
    done = command(project, arguments[0], "cutovr", *arguments[1:])
    assert done.returncode == 4
    assert "Did you mean `cutover`?" in done.stderr
    assert "Traceback" not in done.stderr


def test_extensions_that_cannot_be_loaded(project: Project) -> None:
    """A broken conftest.py ends it with exit 4 and pytest's own words, and nothing was planned."""
    (project.path / "conftest.py").write_text("import nowhere_to_be_found\n")
    done = command(project, "plan", "cutover")
    assert done.returncode == 4
    assert "nowhere_to_be_found" in done.stderr


def test_an_action_waits_for_its_approval(project: Project) -> None:
    """policy.approvals: nothing is applied until somebody approved this very configuration."""
    ask_for_approvals(project)
    assert project.run(*BEFORE).ret == 0
    refused = project.run("suites/cutover", "--apply")
    assert refused.ret == 10
    refused.stdout.fnmatch_lines(["*cutover: never approved*", "*kovra-checks approve cutover --by NAME*"])
    assert not [line for line in project.log() if line.startswith("apply")]
    done = command(project, "approve", "cutover", "--by", "Ada", "--reason", "change 2211")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cutover approved by Ada, for configuration ")
    assert project.run("suites/cutover", "--apply").ret == 0
    [entry] = Ledger(project.ledger).entries("approval")
    assert (entry.body["stage"], entry.body["by"], entry.body["reason"]) == ("cutover", "Ada", "change 2211")


def test_an_approval_names_who_and_why(project: Project) -> None:
    """Empty words are refused, and one that nothing asks for says so."""
    assert command(project, "approve", "cutover", "--by", " ", "--reason", "x").returncode == 4
    assert not project.ledger.exists()
    done = command(project, "approve", "cutover", "--by", "Ada", "--reason", "x")
    assert 'policy.approvals does not name "cutover"' in done.stdout
