"""What the operator sees: stages as they begin, progress of long actions, each gate, and the verdict at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from kovra_checks.actions.base import Plan, checksum
from kovra_checks.gate import Decision
from kovra_checks.report.verdict import ActionVerdict
from kovra_checks.run.context import Run
from kovra_checks.run.guard import NOT_REACHED
from kovra_checks.run.session import Conductor
from kovra_checks.stages import STAGES, position

__all__ = ["Outcomes", "Terminal"]

COLOURS = {"GO": "green", "NO-GO": "red", "INCONCLUSIVE": "yellow"}
LIMIT = 12


class Outcomes:
    """Plugin object: words of our own for skips that mean something."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """`not reached`, `planned` and `waived` are counted apart from pytest's skips."""
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            for start, category, letter in (
                (NOT_REACHED, "not reached", "n"),
                ("planned:", "planned", "p"),
                ("waived:", "waived", "w"),
            ):
                if reason.startswith(start):
                    return category, letter, category.upper()
        return None


class Terminal:
    """Plugin object of the controller, or of the only process."""

    def __init__(self, run: Run, reporter: pytest.TerminalReporter, conductor: Conductor) -> None:
        self.run = run
        self.reporter = reporter
        self.conductor = conductor
        self._begun = time.monotonic()
        self._offset = 0
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._tail = threading.Thread(target=self._follow, name="progress", daemon=True)

    def pytest_runtestloop(self) -> None:
        """Begin to show progress."""
        if not self.reporter.config.option.collectonly:
            self._tail.start()

    def _follow(self) -> None:
        while not self._done.wait(0.2):
            self._show_notes()

    def _show_notes(self) -> None:
        with self._lock:
            notes, self._offset = self.run.journal.notes(self._offset)
        for subject, text in dict(notes).items():  # of many lines at once the newest says where it is
            self._line(f"{subject}: {text}")

    def _line(self, text: str, **markup: bool) -> None:
        capture = self.reporter.config.pluginmanager.getplugin("capturemanager")
        line = f"{time.monotonic() - self._begun:6.1f}s  {text}"
        if capture is None or self.reporter.verbosity < -1:
            return
        with capture.global_and_fixture_disabled():
            self.reporter.ensure_newline()
            self.reporter.write_line(line, **markup)

    def pytest_kovra_gate_decided(self, stage: str, decision: Decision) -> None:
        """One line per gate, as soon as it is decided."""
        self._show_notes()
        text = f"gate {position(stage) + 1}/{len(STAGES)} {stage}: {decision.state}"
        if decision.until is not None:
            text += f" (not before {decision.until:%Y-%m-%d %H:%M:%S} UTC)"
        self._line(text, bold=True, **{COLOURS[decision.state]: True})
        reasons = [reason for reason in decision.reasons if "not-reached" not in reason and "not reached" not in reason]
        if len(reasons) < len(decision.reasons):
            reasons.append(f"{len(decision.reasons) - len(reasons)} checks and actions were not reached")
        for reason in reasons[:LIMIT]:
            self._line(f"    {reason}")
        if len(reasons) > LIMIT:
            self._line(f"    … and {len(reasons) - LIMIT} more (reports/verdict.json has all)")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Stop following."""
        self._done.set()
        if self._tail.is_alive():
            self._tail.join()
        self._show_notes()

    @staticmethod
    def _show_plan(reporter: pytest.TerminalReporter, stage: str, planned: Sequence[ActionVerdict]) -> None:
        reviewed = checksum([Plan(action.id, action.steps) for action in planned])
        reporter.write_sep("-", f"planned for {stage}, not applied")
        for action in planned:
            reporter.write_line(action.id if action.steps else f"{action.id}: nothing to change")
            for step in action.steps:
                reporter.write_line(f"    {step.what}: {step.old} -> {step.new}")
        reporter.write_line(f"checksum {reviewed}: apply this very plan with --apply --plan {reviewed}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Plans that were not applied, the gates once more, and the verdict."""
        verdict = self.conductor.verdict
        if verdict is None:
            return
        for stage in verdict.scope:
            planned = [action for action in verdict.actions if action.stage == stage and action.state == "planned"]
            if planned:
                self._show_plan(terminalreporter, stage, planned)
        for problem in self.conductor.problems:
            terminalreporter.write_line(problem, red=True)
        colour = {"GO": "green", "INCONCLUSIVE": "yellow"}.get(verdict.verdict, "red")
        scope = ", ".join(verdict.scope) if len(verdict.scope) < len(STAGES) else "the whole move"
        counted = f"{sum(c.outcome == 'passed' for c in verdict.checks)} of {len(verdict.checks)} checks passed"
        traffic = verdict.traffic
        if traffic is not None and not verdict.rehearsal:  # the lab knows more of its users and says so itself
            terminalreporter.write_line(
                f"traffic: {traffic.requests} requests, {traffic.failed} failed, {traffic.deferred} writes deferred"
            )
        where = "rehearsal of " if verdict.rehearsal else ""
        terminalreporter.write_sep("=", f"{verdict.verdict}: {where}{scope}; {counted}", bold=True, **{colour: True})
        if verdict.until is not None:
            terminalreporter.write_line(f"run again at {verdict.until:%Y-%m-%d %H:%M:%S} UTC or later", bold=True)
        terminalreporter.write_line(f"report: {self.run.reports / 'summary.html'}")
