"""Access: how probes and actions reach the live systems of one migration. Clients are made when first needed."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import Migration
from kovra_checks.protocols import DnsProvider, KovraCloud, SourcePlatform
from kovra_checks.secrets import Secrets

__all__ = ["Access", "ActionRecord", "Clients", "Records", "Side"]

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """What the ledger says of an action that was applied.

    Attributes:
        id: Action id with subject, e.g. `swap-record[shop.example.com]`.
        at: ISO 8601 moment at which it ended.
        facts: What `apply` returned: what a later check or undo needs. No secrets.
    """

    id: str
    at: str
    facts: Mapping[str, Any]


class Records(Protocol):
    """The ledger as probes and actions see it."""

    def applied(self, action_id: str) -> ActionRecord | None:
        """The newest record of the action if it stands applied (and was not undone), else None."""


@dataclass(frozen=True)
class Clients:
    """Factories of the platform clients, chosen by configuration when the run starts."""

    source: Callable[[Access], SourcePlatform]
    kovra: Callable[[Access], KovraCloud]
    dns: Callable[[Access, str], DnsProvider]


class Access:
    """Everything that touches the world goes through here: secrets, trust, clients, the ledger's records."""

    def __init__(
        self, migration: Migration, secrets: Secrets, records: Records, clients: Clients, *, work: Path
    ) -> None:
        self.migration = migration
        self.secrets = secrets
        self.records = records
        self.work = work
        self._clients = clients
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    @property
    def timeout(self) -> float:
        """Seconds a single network question may take."""
        return self.migration.policy.probe_timeout.total_seconds()

    @property
    def resolvers(self) -> tuple[str, ...]:
        """Recursive resolvers of this migration (`address` or `address:port`)."""
        from kovra_checks.resolvers import PUBLIC_RESOLVERS  # noqa: PLC0415

        return self.migration.resolvers or PUBLIC_RESOLVERS

    @property
    def ca_file(self) -> Path | None:
        """Extra trust roots, absolute."""
        return None if self.migration.ca_file is None else self.migration.path(self.migration.ca_file)

    def trust(self) -> ssl.SSLContext:
        """A fresh verifying client context: the system's roots plus `ca_file`."""
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(cafile=str(self.ca_file))
        return context

    def source(self) -> SourcePlatform:
        """The source platform's client."""
        client: SourcePlatform = self._once("source", lambda: self._clients.source(self))
        return client

    def kovra(self) -> KovraCloud:
        """Kovra Cloud's client."""
        client: KovraCloud = self._once("kovra", lambda: self._clients.kovra(self))
        return client

    def dns(self, provider: str) -> DnsProvider:
        """The DNS provider called *provider* in the configuration."""
        client: DnsProvider = self._once(f"dns/{provider}", lambda: self._clients.dns(self, provider))
        return client

    def database_url(self, name: str, side: Side) -> str:
        """The connection URL (a secret) of database *name* on *side*. Raises CouldNotLook when there is none yet."""
        database = self.migration.database(name)
        reference = database.source_url if side == "source" else database.target_url
        if reference is not None:
            return self.secrets.resolve(reference)
        managed = self.kovra().database(database.target_name)
        if managed is None or managed.url is None:
            state = "it does not exist" if managed is None else f"status {managed.status}, no URL yet"
            raise CouldNotLook(
                f"connection URL of managed database {database.target_name}",
                seen=state,
                remedy="create it in the provision stage and wait for status ready, or set databases."
                f"{name}.target_url",
            )
        self.secrets.learn(managed.url)
        return managed.url
