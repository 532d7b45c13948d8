"""A tiny project of its own for the stage engine: eight stages, questions to a file instead of to live systems.

What the world answers stands in `world.json`, by question; what happened stands in `log.txt`, one line per event.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.stages import STAGES

__all__ = ["Project", "project"]

CONFIG = """
version = 1
name = "tiny"
[source]
platform = "generic"
[target]
[apps.api]
[apps.web]
"""

DEMO = '''
"""The tiny world: one kind of question, one kind of action."""
import json, os, time
from dataclasses import dataclass
from datetime import datetime, timedelta, UTC
from pathlib import Path
from typing import ClassVar
from kovra_checks import ActionFailed, Check, CouldNotLook, Finding, Plan, Question, Step

HERE = Path(__file__).parent

def log(text):
    with (HERE / "log.txt").open("a") as file:
        file.write(f"{text}\\n")

def world(key):
    return json.loads((HERE / "world.json").read_text()).get(key, "fine")

@dataclass(frozen=True, slots=True)
class Answer:
    text: str

@dataclass(frozen=True, slots=True)
class Ask(Question["Answer"]):
    name: str
    kind: ClassVar[str] = "demo"
    answer_type: ClassVar[type] = Answer

def answer(question, access):
    log(f"ask {question.name}")
    said = world(question.name)
    if said == "unreachable":
        raise CouldNotLook("ask the world", seen="no answer", remedy="plug it in")
    if said == "defect":
        return 1 / 0
    return Answer(said)

def judged(question, name):
    def judge(seen):
        log(f"judge {name}")
        text = seen[question].text
        if text == "crash":
            os._exit(7)
        if text == "interrupt":
            raise KeyboardInterrupt
        if text.startswith("early:"):
            until = datetime.fromisoformat(text[6:])
            return [Finding(f"{name} needs time", until=until)] if seen.at(question) < until else []
        return [] if text == "fine" else [Finding(f"{name} ({text}) == fine", remedy="make it fine")]
    return judge

def demo(name, *questions):
    first = Ask(name)
    return Check([first, *(Ask(one) for one in questions)], judged(first, name))

@dataclass(frozen=True)
class Change:
    name: str
    subject: str
    stage: str

    @property
    def key(self):
        return f"{self.name}.{self.subject}"

    def done(self):
        return (HERE / f"done-{self.key}").exists()

    def plan(self, access):
        log(f"plan {self.key}")
        steps = () if self.done() else (Step(self.key, "old", "new"),)
        return Plan(f"{self.name}[{self.subject}]", steps, {"old": "old"})

    def apply(self, access, plan, progress):
        log(f"apply {self.key}")
        progress("half-way there")
        said = world(self.key)
        if said == "crash-before":
            os._exit(7)
        if plan.steps:
            (HERE / f"done-{self.key}").touch()
        if said == "crash-after":
            os._exit(7)
        if said == "fail":
            raise ActionFailed(f"change {self.key}", seen="it would not", remedy="push harder")
        return {"changed": self.key}

    def verify(self, access, facts):
        return [] if self.done() else [Finding(f"{self.key} is not done")]

    def undo(self, access, undo, progress):
        log(f"undo {self.key} to {undo['old']}")
        (HERE / f"done-{self.key}").unlink(missing_ok=True)
'''

CONFTEST = """
from kovra_checks import check
from kovra_checks.checklist import CHECKLIST
from kovra_checks.run import builtin
from demo import Ask, Change, answer, demo

CHECKLIST.clear()  # this project has its own checklist: the checks below
builtin.builtin_actions = lambda migration, stage: ()  # and its own actions

@check("demo-contributed", title="contributed", each="app", stage="precutover", remedy="contribute")
def demo_contributed(app):
    return demo(f"contributed-{app.name}", "shared")

def pytest_kovra_checks(migration):
    return [demo_contributed]

def pytest_kovra_probes():
    return {Ask: answer}

def pytest_kovra_actions(migration, stage):
    if stage == "precutover":
        return [Change("lower", "a", stage)]
    if stage == "cutover":
        return [Change("fence", "a", stage), Change("swap-record", "b", stage)]
    return []
"""

SUITE = """
from kovra_checks import check
from demo import demo

@check("demo-{stage}", title="{stage} is fine", each="app", stage="{stage}", remedy="see to {stage}")
def test_demo_{stage}(app):
    return demo(f"{stage}-{{app.name}}", "shared")
"""


class Project:
    """The tiny project in a folder of its own; `run` starts pytest there as a user would."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        (self.path / "migration.toml").write_text(CONFIG)
        (self.path / "demo.py").write_text(DEMO)
        (self.path / "conftest.py").write_text(CONFTEST)
        (self.path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\npythonpath = .\n")
        for stage in STAGES:
            folder = self.path / "suites" / stage
            folder.mkdir(parents=True)
            (folder / "test_demo.py").write_text(SUITE.format(stage=stage))
        self.world()

    def world(self, **answers: str) -> None:
        """Set what the world answers; everything else is `fine`. Keys are given with `_` for `-` and `.`."""
        (self.path / "world.json").write_text(json.dumps(answers))

    def says(self, answers: dict[str, str]) -> None:
        """Like `world`, by exact key."""
        (self.path / "world.json").write_text(json.dumps(answers))

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest with *arguments* in a process of its own."""
        return self.pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    def log(self) -> list[str]:
        """What happened, in order."""
        path = self.path / "log.txt"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self) -> None:
        """Empty the log."""
        (self.path / "log.txt").unlink(missing_ok=True)

    def verdict(self, reports: str = "reports") -> dict[str, Any]:
        """verdict.json."""
        data: dict[str, Any] = json.loads((self.path / reports / "verdict.json").read_text())
        return data

    def outcomes(self, reports: str = "reports") -> dict[str, str]:
        """Outcome by full check id."""
        return {f"{check['id']}[{check['subject']}]": check["outcome"] for check in self.verdict(reports)["checks"]}

    def gates(self) -> dict[str, str]:
        """Gate by stage."""
        return {stage["name"]: stage["gate"] for stage in self.verdict()["stages"]}

    def actions(self) -> dict[str, str]:
        """State by action id."""
        return {action["id"]: action["state"] for action in self.verdict()["actions"]}

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / ".kovra" / "ledger.sqlite3"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A fresh tiny project."""
    return Project(pytester)


@pytest.fixture(params=[0, 2], ids=["n0", "n2"])
def run_suites(request: pytest.FixtureRequest, project: Project) -> Callable[..., pytest.RunResult]:
    """Run pytest in the tiny project, without and with distribution."""
    workers = ["-n", "2"] if request.param else []
    return lambda *arguments: project.run(*workers, *arguments)
