"""The shop's scheduler: runs the jobs that somebody scheduled here, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

__all__ = ["Scheduler"]


class Scheduler:
    """Runs each scheduled job every *interval* seconds.

    Args:
        run: Called with the job's name. A database error is that run's failure and not the scheduler's.
        interval: Seconds between runs.
    """

    def __init__(self, run: Callable[[str], None], interval: float) -> None:
        self._run = run
        self._interval = interval
        self._jobs: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def jobs(self) -> tuple[str, ...]:
        """Names of the jobs that run here, sorted."""
        with self._lock:
            return tuple(sorted(self._jobs))

    def schedule(self, name: str) -> None:
        """Run *name* from now on."""
        with self._lock:
            self._jobs.add(name)

    def unschedule(self, name: str) -> None:
        """Run *name* no longer."""
        with self._lock:
            self._jobs.discard(name)

    def start(self) -> None:
        """Start the thread. Does nothing when it runs."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the run in hand."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _loop(self) -> None:
        while not self._ended.wait(self._interval):
            for name in self.jobs:
                try:
                    self._run(name)
                except psycopg.Error:
                    continue  # read-only or restarting; the next run is due soon
