"""One run as each of its processes sees it: configuration, access, ledger, journal, reports."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from pluggy import HookRelay

from kovra_checks.access import Access, ActionRecord, Clients
from kovra_checks.actions.base import Action
from kovra_checks.checklist import expected
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.hooks import Answerers
from kovra_checks.ledger import History, Lease, Ledger
from kovra_checks.migration import Migration
from kovra_checks.outcome import Check, Observations, Question
from kovra_checks.report.evidence import EvidenceReader, EvidenceWriter
from kovra_checks.run.journal import Journal
from kovra_checks.secrets import Secrets
from kovra_checks.subjects import subjects
from kovra_checks.suite import CheckFunction, spec_of

__all__ = ["RUN", "Run", "Settings", "action_id"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the controller tells its workers: plain strings and numbers.

    Attributes:
        run_id: Identity of the run.
        directory: The run's folder (journal).
        reports: Folder of the reports.
        migration: Path of the configuration; "" in a replay (the evidence holds it).
        environment: Overlay, or "".
        digest: Digest of the configuration as the controller read it.
        rehearsal: Whether the world is the lab.
        apply: Whether actions are applied.
        pin: Plan checksum that must match, or "".
        token: Fencing token of the lease; 0 where nothing is written (a replay, --collect-only).
        replay: Folder of recorded evidence, or "".
        lab: The lab's folder, or "".
    """

    run_id: str
    directory: str
    reports: str
    migration: str
    environment: str
    digest: str
    rehearsal: bool
    apply: bool
    pin: str
    token: int
    replay: str
    lab: str

    def to_text(self) -> str:
        """For `workerinput`, which carries builtin types only."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Settings:
        """The inverse of `to_text`."""
        return cls(**json.loads(text))


class LedgerRecords:
    """The ledger's action records, read afresh at each question."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger

    def applied(self, action_id: str) -> ActionRecord | None:
        """See `Records.applied`."""
        if self._ledger is None:
            return None
        return History(self._ledger.entries("intent", "outcome")).applied(action_id)


class Run:
    """Everything one process of the run works with."""

    def __init__(self, hook: HookRelay, settings: Settings, migration: Migration, ledger: Ledger | None) -> None:
        self.hook = hook
        self.settings = settings
        self.migration = migration
        self.ledger = ledger
        self.journal = Journal(Path(settings.directory))
        self.reports = Path(settings.reports)
        self.secrets = Secrets(migration.directory)

    @property
    def lease(self) -> Lease:
        """The controller's lease, also good in its workers."""
        return Lease(self.settings.token)

    @property
    def work(self) -> Path:
        """Folder for dumps and logs, beside the ledger."""
        return self.migration.path(self.migration.ledger).parent / "work"

    @cached_property
    def access(self) -> Access:
        """The way to the live systems."""
        clients: Clients = self.hook.pytest_kovra_clients(migration=self.migration)
        self.work.mkdir(parents=True, exist_ok=True)
        return Access(self.migration, self.secrets, LedgerRecords(self.ledger), clients, work=self.work)

    @cached_property
    def answerers(self) -> Answerers:
        """Question type -> probe, ours and contributed ones."""
        merged: dict[type[Question[Any]], Any] = {}
        for answerers in self.hook.pytest_kovra_probes():
            merged.update(answerers)
        return merged

    @cached_property
    def contributed(self) -> tuple[CheckFunction, ...]:
        """Check functions from `pytest_kovra_checks`, sorted by id."""
        lists = self.hook.pytest_kovra_checks(migration=self.migration)
        found = [function for functions in lists for function in functions]
        for function in found:
            if spec_of(function) is None:
                raise pytest.UsageError(f"pytest_kovra_checks returned {function!r}: decorate it with @check(…)")
        return tuple(sorted(found, key=lambda function: self._spec(function).id))

    @staticmethod
    def _spec(function: CheckFunction) -> CheckSpec:
        spec = spec_of(function)
        assert spec is not None
        return spec

    def actions(self, stage: str) -> Sequence[Action]:
        """Actions of *stage* in order. Two of one id are an error."""
        lists = self.hook.pytest_kovra_actions(migration=self.migration, stage=stage)
        found = [action for actions in lists for action in actions]
        ids = [action_id(action) for action in found]
        for twice in {one for one in ids if ids.count(one) > 1}:
            raise pytest.UsageError(f"two actions are called {twice}: action ids are unique within a migration")
        return found

    def expected(self, stage: str) -> tuple[str, ...]:
        """Check ids that must report in *stage*: the checklist's and the contributed ones."""
        contributed = (
            f"{spec.id}[{subject.id}]"
            for spec in map(self._spec, self.contributed)
            if stage in spec.stages
            for subject in subjects(spec.each, self.migration)
        )
        return tuple(sorted({*expected(self.migration, stage), *contributed}))

    @cached_property
    def evidence(self) -> EvidenceWriter:
        """Where observations go."""
        return EvidenceWriter(self.reports / "evidence")

    @cached_property
    def recorded(self) -> EvidenceReader | None:
        """The evidence that is replayed, verified; None in a live run."""
        return EvidenceReader(Path(self.settings.replay)) if self.settings.replay else None

    def seal(self) -> None:
        """Seal what was recorded so far; a crash after this loses nothing."""
        head = "" if self.ledger is None else self.ledger.head
        self.evidence.seal(head=head, key=self.signing_key)

    @property
    def signing_key(self) -> bytes | None:
        """The Ed25519 key evidence is signed with, from the reference in KOVRA_CHECKS_SIGNING_KEY, or None."""
        reference = os.environ.get("KOVRA_CHECKS_SIGNING_KEY")
        return None if reference is None else self.secrets.resolve(f"file:{reference}").encode()

    def progress(self, subject: str) -> Callable[[str], None]:
        """Where a long action says how far it is: the run's folder, from which the terminal shows it."""
        return lambda text: self.journal.note(subject, self.secrets.mask(text))

    def observations(self, stage: str) -> Observations:
        """What was observed for *stage*: in this run, or in the one that is replayed."""
        if self.recorded is not None:
            return self.recorded.observations(stage)
        return self.evidence.observations(stage)

    def plan_of(self, function: CheckFunction, spec: CheckSpec, subject: Any) -> Check:
        """The check for one subject."""
        given = {"migration": self.migration, spec.each: subject}
        wanted = inspect.signature(function).parameters
        return function(**{name: value for name, value in given.items() if name in wanted})


def action_id(action: Action) -> str:
    """`name[subject]`."""
    return f"{action.name}[{action.subject}]"


RUN: pytest.StashKey[Run] = pytest.StashKey()
