"""A run without a pytest session, for commands that plan or undo: the same hooks, access, ledger and lease."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import pytest
from pluggy import HookRelay

from kovra_checks.errors import ConfigError
from kovra_checks.ledger import History, Ledger
from kovra_checks.migration import Migration
from kovra_checks.run.builtin import Builtin
from kovra_checks.run.context import Run, Settings
from kovra_checks.run.heartbeat import Heartbeat
from kovra_checks.run.session import new_run_id

__all__ = ["StandaloneRun", "looking", "with_hooks", "working"]

T = TypeVar("T")
Say = Callable[[str], None]


class _Instead(Generic[T]):
    """Plugin object: does its work at the moment at which pytest would begin a session."""

    def __init__(self, work: Callable[[HookRelay], T]) -> None:
        self._work = work
        self.done: list[T] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Settings are read and plugins and conftest files are loaded; nothing of ours has been opened."""
        config.pluginmanager.register(Builtin())
        self.done.append(self._work(config.hook))
        return 0


def with_hooks(arguments: Sequence[str], work: Callable[[HookRelay], T]) -> T:
    """What *work* returns, given the hooks that `pytest ARGUMENTS` would have: extensions count here as they do there.

    Raises:
        ConfigError: pytest could not begin; it has said why on stderr.
    """
    instead = _Instead(work)
    # Our package is imported already, so there is nothing left to rewrite; capturing is for tests.
    pytest.main([*arguments, "--assert=plain", "--capture=no"], plugins=[instead])
    if not instead.done:
        raise ConfigError(
            "load the extensions (conftest.py, plugins)",
            seen="pytest could not begin: see above",
            remedy="make `pytest --collect-only` work here first",
        )
    return instead.done[0]


class StandaloneRun(Run):
    """A run whose progress is told at once rather than through the journal."""

    def __init__(
        self, hook: HookRelay, settings: Settings, migration: Migration, ledger: Ledger | None, *, say: Say
    ) -> None:
        super().__init__(hook, settings, migration, ledger)
        self._say = say

    def progress(self, subject: str) -> Say:
        """See `Run.progress`."""
        return lambda text: self._say(self.secrets.mask(f"{subject}: {text}"))


@contextlib.contextmanager
def looking(hook: HookRelay, migration: Migration, *, say: Say) -> Iterator[StandaloneRun]:
    """A run that writes nothing: no entry, no lease, and no ledger if there is none."""
    path = migration.path(migration.ledger)
    ledger = Ledger(path, read_only=True) if path.exists() else None
    with tempfile.TemporaryDirectory(prefix="kovra-look-") as directory:
        try:
            settings = _settings(migration, ledger, directory=directory, reports=directory, token=0)
            yield StandaloneRun(hook, settings, migration, ledger, say=say)
        finally:
            if ledger is not None:
                ledger.close()


@contextlib.contextmanager
def working(hook: HookRelay, migration: Migration, *, reports: Path, say: Say) -> Iterator[StandaloneRun]:
    """A run that holds the lease until the end. Evidence goes to a folder of its own below *reports*.

    Raises:
        LeaseHeld: Another runner is at work.
    """
    ledger = Ledger(migration.path(migration.ledger))
    try:
        run_id = new_run_id()
        lease = ledger.acquire(run_id)
        heart = Heartbeat(ledger, lease)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lease is given back then, too
        heart.start()
        try:
            settings = _settings(
                migration, ledger, directory=str(ledger.path.parent / "runs" / run_id),
                reports=str((reports / "rollback" / run_id).resolve()), token=lease.token, run_id=run_id,
            )  # fmt: skip
            yield StandaloneRun(hook, settings, migration, ledger, say=say)
        finally:
            signal.signal(signal.SIGTERM, before)
            heart.stop()
            ledger.release(lease)
    finally:
        ledger.close()


def _settings(
    migration: Migration, ledger: Ledger | None, *, directory: str, reports: str, token: int, run_id: str = ""
) -> Settings:
    rehearsal = ledger is not None and History(ledger.entries("run-started")).is_rehearsal
    return Settings(
        run_id=run_id or new_run_id(), directory=directory, reports=reports, migration="", environment="",
        digest=migration.digest, rehearsal=rehearsal, apply=False, pin="", token=token, replay="", lab="",
    )  # fmt: skip
