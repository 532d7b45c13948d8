"""How long 300 checks take when each needs an answer that is 150 ms away: all at once, beside one after another.

A project of its own in a temporary folder, run by the real engine as a user would: pytest in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SUBJECTS = 30  # apps; ten checks each

CHECKS = '''
"""One question per check; its answer takes a while."""
import time
from dataclasses import dataclass
from typing import ClassVar
from kovra_checks import Check, Question, check
from kovra_checks.checklist import CHECKLIST

CHECKLIST.clear()  # this project has its own checklist

@dataclass(frozen=True, slots=True)
class Answer:
    number: int

@dataclass(frozen=True, slots=True)
class Ask(Question["Answer"]):
    app: str
    number: int
    kind: ClassVar[str] = "slow-question"
    answer_type: ClassVar[type] = Answer

def answer(question, access):
    time.sleep({delay})
    return Answer(question.number)

class Slow:
    def pytest_kovra_checks(self, migration):
        return FUNCTIONS
    def pytest_kovra_probes(self):
        return {{Ask: answer}}

def named(number):
    def function(app):
        question = Ask(app.name, number)
        return Check(question, lambda seen: [] if seen[question].number == number else ["wrong"])
    function.__name__ = f"slow_{{number}}"
    return check(f"slow-{{number}}", title="slow", each="app", stage="readiness", remedy="wait")(function)

FUNCTIONS = [named(number) for number in range(10)]

def pytest_configure(config):
    config.pluginmanager.register(Slow())
'''

SUITE = """
from kovra_checks import Check, check
@check("first", title="first", each="migration", stage="readiness", remedy="wait")
def test_first(migration):
    return Check((), lambda seen: [])
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of one run.

    Attributes:
        whole: From the start of the process to its end.
        stage: From the first to the last report: observing and judging.
        checks: How many passed.
    """

    whole: float
    stage: float
    checks: int


def project(folder: Path, delay: float, threads: int) -> None:
    """Write the project."""
    apps = "\n".join(f"[apps.app-{number}]" for number in range(SUBJECTS))
    text = f'version = 1\nname = "bench"\n[source]\nplatform = "generic"\n[target]\n{apps}\n'
    (folder / "migration.toml").write_text(f"{text}[policy]\nprobe_threads = {threads}\n", encoding="utf-8")
    (folder / "conftest.py").write_text(CHECKS.format(delay=delay), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8")
    suite = folder / "suites" / "readiness"
    suite.mkdir(parents=True)
    (suite / "test_first.py").write_text(SUITE, encoding="utf-8")


def measure(delay: float, threads: int, bytecode: Path) -> Measured:
    """Run it once, warm. Raises subprocess.CalledProcessError unless it says GO."""
    with tempfile.TemporaryDirectory(prefix="kovra-bench-") as name:
        folder = Path(name)
        project(folder, delay, threads)
        # Without what only this checkout's own tests use: a user's environment does not have it.
        command = [
            sys.executable,
            "-m",
            "pytest",
            "suites",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:hypothesispytest",
        ]
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run([*command, "--collect-only"], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
        whole = time.perf_counter() - began
        verdict = json.loads((folder / "reports" / "verdict.json").read_text(encoding="utf-8"))
    passed = sum(one["outcome"] == "passed" for one in verdict["checks"])
    moments = [datetime.fromisoformat(verdict[key]) for key in ("started", "ended")]
    return Measured(whole, (moments[1] - moments[0]).total_seconds(), passed)


def main() -> None:
    """Measure both and print them as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.15, help="seconds until each answer (0.15)")
    parser.add_argument("--threads", type=int, default=0, help="questions at the same time; the shipped default if 0")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kovra-bytecode-") as name:
        at_once = measure(asked.delay, asked.threads or default_threads(), Path(name))
        one_by_one = measure(asked.delay, 1, Path(name))
    print(f"{at_once.checks} checks, each {asked.delay * 1000:.0f} ms away from its answer")
    print(f"{'':28}{'session':>10}{'with start-up':>16}")
    for label, seen in (("all at once", at_once), ("one after another", one_by_one)):
        print(f"{label:28}{seen.stage:>9.2f}s{seen.whole:>15.2f}s")
    print(f"{'ratio':28}{one_by_one.stage / at_once.stage:>9.1f}x{one_by_one.whole / at_once.whole:>15.1f}x")


def default_threads() -> int:
    """What a migration has unless it says otherwise."""
    from kovra_checks.migration import Policy  # noqa: PLC0415 - the measured processes import it themselves

    default = Policy.model_fields["probe_threads"].default
    return int(default)


if __name__ == "__main__":
    main()
