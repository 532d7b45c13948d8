"""The run from the controller's seat: opens it, keeps the lease alive, ends it with a verdict."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.errors import KovraChecksError
from kovra_checks.gate import Decision
from kovra_checks.ledger import History
from kovra_checks.report import allure
from kovra_checks.report.summary import write_summary
from kovra_checks.report.traffic import count, requests_of
from kovra_checks.report.verdict import FILE, TrafficCount, Verdict, read_verdict, write_verdict
from kovra_checks.run.context import Run
from kovra_checks.run.gatekeeper import Gatekeeper
from kovra_checks.run.heartbeat import Heartbeat
from kovra_checks.run.rollback import roll_back, within_watch_window
from kovra_checks.run.verdict import Ending, compose

__all__ = ["Conductor", "archive", "new_run_id"]

TRAFFIC_LOGS = ("traffic.jsonl", "watch.jsonl")


def new_run_id() -> str:
    """Sortable by time, unique: `20261123-104155-1f3a`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"


def archive(reports: Path) -> None:
    """Move an earlier run's verdict, summary and evidence aside, so that nothing is lost or mixed."""
    reports.mkdir(parents=True, exist_ok=True)
    present = [path for name in (FILE, "summary.html", "junit.xml", "evidence") if (path := reports / name).exists()]
    if not present:
        return
    try:
        name = read_verdict(reports / FILE).run_id
    except KovraChecksError:
        name = f"unfinished-before-{new_run_id()}"  # a run that died before it had a verdict
    folder = reports / "history" / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in present:
        shutil.rmtree(folder / path.name, ignore_errors=True)
        shutil.move(path, folder / path.name)


class Conductor:
    """Plugin object of the controller, or of the only process."""

    def __init__(self, run: Run, keeper: Gatekeeper) -> None:
        self.run = run
        self.keeper = keeper
        self.started = datetime.now(UTC)
        self.rolled_back = False
        self.verdict: Verdict | None = None
        self.problems: list[str] = []
        self._heart: Heartbeat | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Record the run before anything else happens."""
        run = self.run
        if run.ledger is None:
            return
        self._heart = Heartbeat(run.ledger, run.lease)
        self._heart.start()
        settings = run.settings
        body = {"config_digest": run.migration.digest, "rehearsal": settings.rehearsal, "apply": settings.apply,
                "plan": settings.pin, "arguments": list(session.config.invocation_params.args)}  # fmt: skip
        run.ledger.append("run-started", run.secrets.mask_all(body), run=settings.run_id, lease=run.lease)
        run.evidence.write_json("migration", run.migration.model_dump(mode="json"))
        told = {"run_id": settings.run_id, "rehearsal": settings.rehearsal, "apply": settings.apply}
        run.evidence.write_json("run", told)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """After the last item: decide the last gate. An interrupted session decides what it had begun, and says so."""
        try:
            result = yield
        except BaseException as problem:
            self.keeper.interrupted = f"the session ended early: {type(problem).__name__} {problem}".strip()
            raise
        finally:
            if not session.config.option.collectonly:
                self.keeper.cross(None)
        return result

    def pytest_kovra_gate_decided(self, stage: str, decision: Decision) -> None:
        """A cutover that is NO-GO is undone at once, within the watch window."""
        run = self.run
        acted = run.settings.apply and run.recorded is None
        if stage != "cutover" or not acted or decision.state != "NO-GO" or self.keeper.interrupted:
            return
        assert run.ledger is not None
        states = {told["state"] for told in self.keeper.records[stage].actions.values()}
        standing = History(run.ledger.entries("intent", "outcome")).undoable(stage)
        if "unknown" in states or not standing or not within_watch_window(run, datetime.now(UTC)):
            return
        result = roll_back(run, run.progress("rollback"))
        for action in result.undone:
            if action in self.keeper.records[stage].actions:
                told = self.keeper.records[stage].actions[action]
                told |= {"state": "undone", "ended": datetime.now(UTC).isoformat(timespec="milliseconds")}
        self.rolled_back = result.is_complete
        if result.problem is not None:
            self.problems.append(f"rollback stopped: {result.problem}")
        self.problems += [f"old side after the rollback: {finding}" for finding in result.findings]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the verdict and the reports; own the exit status."""
        if session.config.option.collectonly:
            self._close()
            return
        run = self.run
        ending = Ending(int(session.exitstatus), self.rolled_back)
        if run.recorded is None:
            run.evidence.write_json("actions", self.keeper.actions_told())
        traffic = self._traffic() if run.recorded is None else None
        self.verdict = compose(run, self.keeper, ending, started=self.started, traffic=traffic)
        run.reports.mkdir(parents=True, exist_ok=True)
        write_verdict(run.reports / FILE, self.verdict)
        if run.ledger is not None:
            body = {"verdict": self.verdict.verdict, "exit_code": self.verdict.exit_code, "scope": self.keeper.scope,
                    "problems": self.problems}  # fmt: skip
            run.ledger.append("verdict", run.secrets.mask_all(body), run=run.settings.run_id, lease=run.lease)
            run.seal()
        self._reports(session)
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = self.verdict.exit_code
        self._close()

    def _traffic(self) -> TrafficCount | None:
        """What the richest log of the run counted: real (or the lab's) traffic, else our own watch."""
        swaps = [a["started"] for name, a in self.keeper.records["cutover"].actions.items() if "swap-record" in name]
        swapped = datetime.fromisoformat(min(swaps)) if swaps and all(swaps) else None
        for name in TRAFFIC_LOGS:
            path = self.run.evidence.directory / name
            if path.exists():
                whole = [
                    line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")
                ]
                return count(requests_of(map(json.loads, whole), where=str(path)), swapped)
        return None

    def _reports(self, session: pytest.Session) -> None:
        run, verdict = self.run, self.verdict
        assert verdict is not None
        written = [str(run.reports / FILE)]
        if run.recorded is None:
            write_summary(run.reports)
            written.append(str(run.reports / "summary.html"))
        directory = session.config.getoption("allure_report_dir", None)
        if directory and allure.is_active(session.config):
            allure.missing_results(Path(directory), verdict)
            allure.write_side_files(Path(directory), verdict)
            written.append(str(directory))
        told: dict[str, Any] = {"verdict": verdict.verdict, "exit_code": verdict.exit_code}
        session.config.hook.pytest_kovra_verdict(verdict=told, reports=written)

    def _close(self) -> None:
        if self._heart is not None:
            self._heart.stop()
        if self.run.ledger is not None:
            self.run.ledger.release(self.run.lease)
