"""In every process: denies by default.

A worker may be made to run an item it holds at any time (a shutdown flushes it), so the last word on whether an item
may run is spoken here, from the journal, and the answer is no unless the journal says yes.
"""

from __future__ import annotations

from typing import Any

import pytest

from kovra_checks.ledger import History
from kovra_checks.run.context import Run
from kovra_checks.run.items import EXPLAINED, ActionItem, ObserveItem, run_check
from kovra_checks.stages import stage_of
from kovra_checks.suite import spec_of

__all__ = ["NOT_REACHED", "Guard"]

NOT_REACHED = "not reached:"


class Guard:
    """Plugin object, registered in every process."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Deny unless the journal allows."""
        reason = self._denied(item)
        if reason is not None:
            pytest.skip(f"{NOT_REACHED} {reason}")

    def _denied(self, item: pytest.Item) -> str | None:
        stage, journal = stage_of(item.nodeid) or "", self.run.journal
        scope = journal.read("scope")["stages"]
        for before in scope[: scope.index(stage)]:
            if not journal.gate_is_open(before):
                return f"gate {before} is not open"
        halted = journal.halted(stage)
        if halted is not None:
            return halted
        if isinstance(item, ActionItem):
            return self._begun_elsewhere(stage)
        if not isinstance(item, ObserveItem) and journal.read(f"observed-{stage}") is None:
            return f"nothing was observed for {stage}"
        return None

    def _begun_elsewhere(self, stage: str) -> str | None:
        """An action that this very run began and that has no end: its process died, so its state is unknown."""
        ledger = self.run.ledger
        if ledger is None:
            return "a replay performs no action"
        for unfinished in History(ledger.entries("intent", "outcome")).unfinished():
            if unfinished.run == self.run.settings.run_id:
                return f"action {unfinished.action} of {stage} began and has no recorded end"
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """A check function states questions and a rule; judging is ours."""
        if spec_of(pyfuncitem.obj) is None:
            return None
        run_check(pyfuncitem)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        """Say what is to be said without a traceback, and nothing that must be masked."""
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, EXPLAINED):
            report.longrepr = self.run.secrets.mask(str(call.excinfo.value))
        elif report.failed:
            report.longrepr = self.run.secrets.mask(str(report.longrepr))
        report.sections = [(title, self.run.secrets.mask(text)) for title, text in report.sections]
        return report
