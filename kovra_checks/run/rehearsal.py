"""The rehearsal: the lab as the world. The only way from the package into `kovra_checks.lab`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook, KovraChecksError
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.client import LabClient, remove_state
from kovra_checks.lab.migration_file import write_migration
from kovra_checks.lab.seed import CRITICAL_QUERIES
from kovra_checks.lab.setting import Keys
from kovra_checks.lab.traffic import Counters
from kovra_checks.run.context import Run
from kovra_checks.run.rehearsed import LabTraffic, LabUsers
from kovra_checks.stages import earlier

__all__ = ["Rehearsal", "RehearsalMoments", "open_lab", "sketch_lab"]

BEGINNING = "lab-traffic-at-start"


class Rehearsal:
    """A lab that belongs to this session, or one that is attached to.

    Attributes:
        client: Speaks to the lab's server process.
        directory: The lab's folder.
    """

    def __init__(self, directory: Path, client: LabClient, *, temporary: bool) -> None:
        self.directory = directory
        self.client = client
        self._temporary = temporary

    def close(self) -> None:
        """Stop what this session started."""
        self.client.stop()
        if self._temporary:
            remove_state(self.directory)

    def keep_traffic(self, reports: Path) -> None:
        """Copy the lab's traffic log into the evidence folder, which is not sealed yet."""
        log = self.directory / "traffic.jsonl"
        if log.exists():
            (reports / "evidence").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(log, reports / "evidence" / "traffic.jsonl")


def open_lab(directory: Path | None, faults: Sequence[str], first: str | None, suites: Path) -> Rehearsal:
    """Start (or attach to) a lab, bring it to the state just before stage *first*, and arm *faults*.

    Args:
        directory: The lab's folder; a temporary one if None. A running lab in it is attached to and left running.
        faults: Names from the catalogue.
        first: The first stage this session is asked for; None if unknown.
        suites: Folder of the suites, for the stages before *first*.
    """
    temporary = directory is None
    path = Path(tempfile.mkdtemp(prefix="kovra-lab-")) if directory is None else directory
    running = LabClient.attach(path)
    owned = running is None
    client = LabClient.start(path) if running is None else running
    try:
        if first is not None and owned and not (path / ".kovra" / "ledger.sqlite3").exists():
            _bring_to(first, path, suites)
        for fault in faults:
            client.arm(fault)
    except BaseException:
        client.stop()
        raise
    return Rehearsal(path, client, temporary=temporary)


def sketch_lab() -> tempfile.TemporaryDirectory[str]:
    """A folder with the configuration a lab would have: all that --collect-only needs. Nothing is started."""
    folder = tempfile.TemporaryDirectory(prefix="kovra-lab-")
    nowhere = Addresses("127.0.0")
    write_migration(
        Path(folder.name), nowhere, Keys(), source_url="postgresql://", queries=dict(CRITICAL_QUERIES), version="17"
    )
    return folder


def _bring_to(first: str, directory: Path, suites: Path) -> None:
    """Run the stages before *first* in a session of their own against the same lab."""
    before = earlier(first)
    if not before:
        return
    sys.stderr.write(f"bringing the lab to the state before {first}: {', '.join(before)} …\n")
    with tempfile.TemporaryDirectory(prefix="kovra-reports-") as reports:
        command = [sys.executable, "-m", "pytest", *(str(suites / stage) for stage in before), "--rehearse",
                   "--lab", str(directory), "--reports", reports, "-q", "-p", "no:cacheprovider",
                   "-p", "no:allure_pytest"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-40:])
        raise pytest.UsageError(f"the lab could not be brought to the state before {first}:\n{tail}\n{done.stderr}")


class RehearsalMoments:
    """Plugin object of every process: tells the lab where the run stands, so that armed faults come at their moment."""

    def __init__(self, run: Run) -> None:
        client = LabClient.attach(Path(run.settings.lab))
        if client is None:
            raise pytest.UsageError(f"the lab in {run.settings.lab} does not run any more: see its lab.log")
        self.run = run
        self.client = client
        if run.journal.read(BEGINNING) is None:  # the controller, before any worker
            counters = asdict(client.traffic())
            run.journal.write(BEGINNING, {"at": time.time(), "counters": counters})

    def look(self, question: LabTraffic, access: Access) -> LabUsers:  # noqa: ARG002 - a probe
        """What the users met since this session began. Raises CouldNotLook when there were none."""
        begun = self.run.journal.read(BEGINNING)
        before, now = Counters(**begun["counters"]), self.client.traffic()
        lost = self.client.lost(begun["at"])[question.side]
        if now.requests == before.requests or lost is None:
            raise CouldNotLook(
                "ask the lab for its users",
                seen="there were none" if lost is not None else f"the {question.side} has no database",
                remedy="let the lab start with traffic, and look after the move",
            )
        return LabUsers(
            requests=now.requests - before.requests,
            failed=now.failed - before.failed,
            acknowledged=now.writes_acknowledged - before.writes_acknowledged,
            deferred=now.writes_deferred - before.writes_deferred,
            longest_deferral=now.longest_deferral_s,
            lost=tuple(lost),
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line about the users, before the verdict. After a rollback their orders belong to the source."""
        swapped = any(self.run.access.records.applied(f"swap-record[{one.name}]") for one in self.run.migration.domains)
        try:
            users = self.look(LabTraffic("target" if swapped else "source"), self.run.access)
        except KovraChecksError as problem:
            terminalreporter.write_line(f"traffic: {problem.seen}", yellow=True)
            return
        waited = f" (longest {users.longest_deferral:.1f} s)" if users.deferred else ""
        terminalreporter.write_line(
            f"traffic: {users.requests} requests, {users.failed} failed, {users.acknowledged} writes acknowledged, "
            f"{len(users.lost)} lost, {users.deferred} deferred{waited}",
            red=bool(users.failed or users.lost),
        )

    def pytest_kovra_stage_started(self, stage: str) -> None:
        """Faults that come before the actions."""
        self.client.moment(stage, "before-actions")

    def pytest_kovra_before_observing(self, stage: str) -> None:
        """Faults that come after the actions and before the checks look."""
        self.client.moment(stage, "before-observing")
