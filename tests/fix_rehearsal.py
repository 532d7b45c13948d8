"""Whole rehearsals as a user runs them: a process of its own, its screen, its reports, its lab's folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from kovra_checks.lab.client import remove_state

__all__ = ["CommandLines", "Rehearsed", "guarded", "rehearse", "secrets_of", "whole_rehearsal"]

ROOT = Path(__file__).parent.parent
TRAFFIC = re.compile(
    r"traffic: (?P<requests>\d+) requests, (?P<failed>\d+) failed, (?P<acknowledged>\d+) writes acknowledged, "
    r"(?P<lost>\d+) lost, (?P<deferred>\d+) deferred"
)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One session that is over.

    Attributes:
        exit_code: pytest's.
        output: What stood on the screen.
        reports: Folder of its reports.
        lab: The lab's folder, stopped.
    """

    exit_code: int
    output: str
    reports: Path
    lab: Path

    @property
    def verdict(self) -> dict[str, Any]:
        """verdict.json."""
        told: dict[str, Any] = json.loads((self.reports / "verdict.json").read_text(encoding="utf-8"))
        return told

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcome by stage and full check id."""
        return {f"{one['stage']}/{one['id']}[{one['subject']}]": one["outcome"] for one in self.verdict["checks"]}

    @property
    def traffic(self) -> dict[str, int]:
        """The line about the lab's users, as numbers."""
        found = TRAFFIC.search(self.output)
        assert found is not None, self.output
        return {name: int(text) for name, text in found.groupdict().items()}


def rehearse(
    lab: Path, reports: Path, *arguments: str, stages: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Rehearsed:
    """Run a rehearsal of *stages* (all unless given) from the checkout, with its lab in *lab*.

    It is a session of its own, so that it can be killed with all that belongs to it.
    """
    suites = [f"suites/{stage}" for stage in stages] or ["suites"]
    command = [sys.executable, "-m", "pytest", *suites, "--rehearse", "--lab", str(lab), "--reports", str(reports),
               "-p", "no:cacheprovider", *arguments]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False,
        start_new_session=True,
    )  # fmt: skip
    return Rehearsed(done.returncode, done.stdout + done.stderr, reports, lab)


def secrets_of(lab: Path) -> Mapping[str, str]:
    """Every secret of the lab in *lab*, by name."""
    keys: dict[str, str] = json.loads((lab / "state.json").read_text(encoding="utf-8"))["keys"]
    return keys


def guarded(folder: Path, call: str, *values: Path) -> dict[str, str]:
    """Environment in which every Python process calls the function *call* of `loopback` with *values* first."""
    folder.mkdir(parents=True, exist_ok=True)
    given = ", ".join(repr(str(value)) for value in values)
    (folder / "sitecustomize.py").write_text(f"import loopback\nloopback.{call}({given})\n", encoding="utf-8")
    path = os.pathsep.join((str(folder), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    return {"PYTHONPATH": path.rstrip(os.pathsep)}


class CommandLines:
    """Collects the command lines of all processes of this machine, twenty times a second, as `ps` would show them."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._over.set()
        self._thread.join()

    def _collect(self) -> None:
        while not self._over.wait(0.05):
            for entry in os.scandir("/proc"):
                if entry.name.isdecimal():
                    self._look(Path(entry.path, "cmdline"))

    def _look(self, path: Path) -> None:
        try:
            self.seen.add(path.read_bytes())
        except OSError:
            return  # gone meanwhile


@dataclass(frozen=True, slots=True)
class Watched:
    """A rehearsal with what was seen of its processes.

    Attributes:
        run: The session.
        outside: What any of its Python processes looked for beyond this machine.
        command_lines: All command lines there were meanwhile.
    """

    run: Rehearsed
    outside: str
    command_lines: frozenset[bytes]


@pytest.fixture(scope="session")
def whole_rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One healthy rehearsal of the whole move in one process, watched from outside; shared by all tests of a worker."""
    home = tmp_path_factory.mktemp("rehearsal")
    seen = home / "outside.txt"
    with CommandLines() as lines:
        run = rehearse(home / "lab", home / "reports", environment=guarded(home / "guard", "record_to", seen))
    outside = seen.read_text(encoding="utf-8") if seen.exists() else ""
    yield Watched(run, outside, frozenset(lines.seen))
    remove_state(home / "lab")


@pytest.fixture
def rehearsing(tmp_path: Path) -> Iterator[Callable[..., Rehearsed]]:
    """`rehearse` with a lab and reports of this test's own."""
    labs: list[Path] = []

    def run(*arguments: str, reports: Path | None = None) -> Rehearsed:
        labs.append(tmp_path / "lab")
        return rehearse(labs[-1], reports or tmp_path / "reports", *arguments)

    yield run
    for lab in labs:
        remove_state(lab)
