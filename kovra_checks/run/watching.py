"""Runs the traffic watch beside the cutover, in the process that acts."""

from __future__ import annotations

import shutil

import pytest

from kovra_checks.errors import CouldNotLook
from kovra_checks.probes.traffic import WATCH_LOG
from kovra_checks.run.context import Run
from kovra_checks.watch import TrafficWatcher

__all__ = ["Watching"]


class Watching:
    """Plugin object of every process; idle in all but the one that begins the cutover."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._watcher: TrafficWatcher | None = None

    def pytest_kovra_stage_started(self, stage: str) -> None:
        """Begin before the first action; a watch that cannot begin leaves no log, so that its check cannot pass."""
        if stage != "cutover" or not self.run.migration.domains:
            return
        watcher = TrafficWatcher(self.run.access)
        try:
            watcher.start()
        except CouldNotLook as problem:
            self.run.progress("traffic watch")(str(problem))
            return
        self._watcher = watcher

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """End it, and keep its log as evidence."""
        if self._watcher is not None:
            self._watcher.stop()
            shutil.copyfile(self.run.work / WATCH_LOG, self.run.evidence.directory / WATCH_LOG)
