"""Gates hold, in one process and distributed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fix_engine import Project

from kovra_checks.stages import STAGES

Run = Callable[..., pytest.RunResult]
ALL = list(STAGES)
BEFORE = ALL[: ALL.index("precutover")]


def stage_events(log: list[str]) -> list[str]:
    """The stage of each judge and apply event, consecutive repeats joined."""
    where = {"lower.a": "precutover", "fence.a": "cutover", "swap-record.b": "cutover"}
    found: list[str] = []
    for event, _, name in (line.partition(" ") for line in log):
        if event in ("judge", "apply"):
            stage = where.get(name) or name.split("-")[0].replace("contributed", "precutover")
            if not found or found[-1] != stage:
                found.append(stage)
    return found


def test_a_healthy_move_is_go(project: Project, run_suites: Run) -> None:
    """Every stage acts, observes, checks and opens its gate, in order; exit 0."""
    result = run_suites("suites", "--apply")
    assert result.ret == 0, result.stdout.str()
    assert project.verdict()["verdict"] == "GO"
    assert project.gates() == dict.fromkeys(ALL, "GO")
    assert project.actions() == dict.fromkeys(("lower[a]", "fence[a]", "swap-record[b]"), "applied")
    assert set(project.outcomes().values()) == {"passed"}
    assert stage_events(project.log()) == ALL
    log = project.log()
    assert log.index("apply lower.a") < log.index("judge precutover-web")
    assert log.index("apply fence.a") < log.index("apply swap-record.b") < log.index("judge cutover-api")
    result.stdout.fnmatch_lines(["*gate 5/8 precutover: GO*", "*GO: the whole move; 18 of 18 checks passed*"])


def test_each_distinct_question_is_put_once_per_stage(project: Project, run_suites: Run) -> None:
    """Three checks share a question; it is asked once in that stage."""
    assert run_suites("suites/precutover").ret == 0
    asked = [line for line in project.log() if line.startswith("ask")]
    assert sorted(asked) == sorted(set(asked))
    assert "ask shared" in asked


def test_a_failed_check_closes_the_gate(project: Project, run_suites: Run) -> None:
    """Findings in precutover: NO-GO, exit 10, no action of the cutover, its checks are not reached."""
    project.says({"precutover-web": "odd"})
    result = run_suites("suites", "--apply")
    assert result.ret == 10
    assert project.verdict()["verdict"] == "NO-GO"
    gates = project.gates()
    assert {gates[stage] for stage in BEFORE} == {"GO"}
    assert gates["precutover"] == "NO-GO"
    assert {gates[stage] for stage in ALL[len(BEFORE) + 1 :]} == {"not-reached"}
    outcomes = project.outcomes()
    assert outcomes["demo-precutover[web]"] == "failed"
    assert outcomes["demo-cutover[web]"] == "not-reached"
    assert not [line for line in project.log() if "swap" in line]
    result.stdout.fnmatch_lines(["*precutover-web (odd) == fine*", "*what to do: make it fine*"])


@pytest.mark.parametrize("said", ["unreachable", "defect"])
def test_a_blind_check_makes_it_inconclusive(project: Project, run_suites: Run, said: str) -> None:
    """A probe that could not look, or is itself broken: broken, INCONCLUSIVE, exit 14."""
    project.says({"precutover-web": said})
    assert run_suites("suites/precutover").ret == 14
    assert project.outcomes()["demo-precutover[web]"] == "broken"
    assert project.gates() == {"precutover": "INCONCLUSIVE"}


def test_too_early_names_the_moment(project: Project, run_suites: Run) -> None:
    """When only time is missing the verdict says until when."""
    project.says({"precutover-web": "early:2099-01-01T00:00:00+00:00"})
    result = run_suites("suites/precutover")
    assert result.ret == 14
    assert project.verdict()["until"].startswith("2099-01-01T00:00:00")
    result.stdout.fnmatch_lines(["*run again at 2099-01-01 00:00:00 UTC or later*"])


def test_a_failed_action_halts_its_stage(project: Project, run_suites: Run) -> None:
    """A precutover action that fails: the rest of the stage is not reached, NO-GO."""
    project.says({"lower.a": "fail"})
    result = run_suites("suites", "--apply")
    assert result.ret == 10
    assert project.actions()["lower[a]"] == "failed"
    assert project.outcomes()["demo-precutover[web]"] == "not-reached"
    result.stdout.fnmatch_lines(["*push harder*"])


def test_a_failed_cutover_rolls_itself_back(project: Project, run_suites: Run) -> None:
    """Checks of the cutover fail: actions are undone, newest first, from the ledger; exit 13."""
    project.says({"cutover-web": "odd"})
    assert run_suites("suites", "--apply").ret == 13
    assert project.verdict()["verdict"] == "ROLLED-BACK"
    undone = [line for line in project.log() if line.startswith("undo")]
    assert undone == ["undo swap-record.b to old", "undo fence.a to old"]
    assert project.actions()["swap-record[b]"] == "undone"
    assert project.actions()["lower[a]"] == "applied"
    assert project.outcomes()["demo-postcutover[web]"] == "not-reached"


@pytest.mark.parametrize(("said", "exit_code"), [("odd", 10), ("early:2099-01-01T00:00:00+00:00", 14)])
def test_a_finished_cutover_is_not_stopped(project: Project, run_suites: Run, said: str, exit_code: int) -> None:
    """What comes up after the cutover's GO is that stage's: nothing is half-way, and nothing is rolled back."""
    project.says({"postcutover-web": said})
    assert run_suites("suites", "--apply").ret == exit_code
    assert project.gates()["cutover"] == "GO"
    assert project.actions()["swap-record[b]"] == "applied"


def test_looking_plans_and_changes_nothing(project: Project, run_suites: Run) -> None:
    """Without --apply the plan is shown, nothing is applied, and the checks alone decide."""
    result = run_suites("suites/cutover")
    assert result.ret == 0
    assert project.actions() == {"fence[a]": "planned", "swap-record[b]": "planned"}
    assert not [line for line in project.log() if line.startswith("apply")]
    result.stdout.fnmatch_lines(["*planned for cutover, not applied*", "*fence.a: old -> new*", "checksum*--plan*"])


def test_acting_alone_needs_open_gates(project: Project, run_suites: Run) -> None:
    """A stage by itself acts only when the earlier gates stand open in the ledger."""
    refused = run_suites("suites/cutover", "--apply")
    assert refused.ret == 10
    refused.stdout.fnmatch_lines(["*an earlier gate does not stand open: readiness: never decided*"])
    assert not [line for line in project.log() if line.startswith("apply")]


def test_looking_opens_gates_for_acting(project: Project, run_suites: Run) -> None:
    """What was done by hand becomes a gate by looking at it; then a later stage may act."""
    for stage in [*BEFORE, "precutover"]:
        assert run_suites(f"suites/{stage}").ret == 0
    assert run_suites("suites/cutover", "--apply").ret == 0
    assert project.actions() == {"fence[a]": "applied", "swap-record[b]": "applied"}


def test_a_changed_configuration_closes_gates(project: Project) -> None:
    """Gates opened for one configuration do not stand for another."""
    project.run("suites/readiness")
    with (project.path / "migration.toml").open("a") as file:
        file.write('branch = "other"\n')
    result = project.run("suites/precutover", "--apply")
    result.stdout.fnmatch_lines(["*readiness: decided for another configuration*"])
    assert result.ret == 10


def test_a_later_look_supersedes(project: Project) -> None:
    """A gate that was GO and is looked at again with findings does not stand open any more."""
    assert project.run("suites/readiness").ret == 0
    project.says({"readiness-web": "odd"})
    assert project.run("suites/readiness").ret == 10
    project.says({})
    project.run("suites/precutover", "--apply").stdout.fnmatch_lines(["*readiness: NO-GO at*"])


def test_only_the_reviewed_plan_is_applied(project: Project) -> None:
    """--plan with another checksum is refused; with the planned one it applies."""
    assert project.run(*(f"suites/{stage}" for stage in BEFORE)).ret == 0
    refused = project.run("suites/precutover", "--apply", "--plan", "0123456789ab")
    assert refused.ret == 10
    refused.stdout.fnmatch_lines(["*== reviewed (0123456789ab) does not hold*"])
    assert not (project.path / "done-lower.a").exists()
    project.run("suites/precutover")
    [action] = project.verdict()["actions"]
    assert project.run("suites/precutover", "--apply", "--plan", action["checksum"]).ret == 0
    assert (project.path / "done-lower.a").exists()


def test_a_waiver_is_shown_and_expires(project: Project, run_suites: Run) -> None:
    """A waived failure opens the gate and is called waived; an expired waiver has no force."""
    waiver = '[[waivers]]\ncheck = "demo-readiness[web]"\nreason = "known and harmless"\nby = "Ada"\nuntil = {}\n'
    config = project.path / "migration.toml"
    plain = config.read_text()
    project.says({"readiness-web": "odd"})
    config.write_text(plain + waiver.format("2099-01-01"))
    result = run_suites("suites/readiness")
    assert result.ret == 0
    assert project.outcomes()["demo-readiness[web]"] == "waived"
    assert "1 waived" in result.stdout.str()
    config.write_text(plain + waiver.format("2020-01-01"))
    assert run_suites("suites/readiness").ret == 10
