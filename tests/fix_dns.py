"""The lab's DNS as fixtures: each test process has a loopback block and a port of its own."""

from __future__ import annotations

import base64
import importlib.util
import inspect
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.access import Access, ActionRecord, Clients
from kovra_checks.dns_providers import provider_for
from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.migration import App, DnsProviderConfig, Domain, Migration, Policy, Source, Target
from kovra_checks.outcome import Check, Finding, Observation, Observations, Question, adapter
from kovra_checks.probes.dns import ANSWERERS as DNS
from kovra_checks.probes.ledger import ANSWERERS as LEDGER
from kovra_checks.secrets import Secrets

TSIG_NAME = "kovra-checks"
TSIG_SECRET = base64.b64encode(b"planted-canary-of-the-tests-0123").decode()
SHOP = "shop.example.test"


class LedgerOf(dict[str, ActionRecord]):
    """The ledger's records as a table."""

    def applied(self, action_id: str) -> ActionRecord | None:
        """The record of that action."""
        return self.get(action_id)


def free_dns_port(addresses: tuple[str, ...]) -> int:
    """A port that is free for UDP and TCP at every one of *addresses*."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((addresses[0], 0))
            port: int = probe.getsockname()[1]
        if all(_free(address, port) for address in addresses):
            return port


def _free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


@pytest.fixture
def dns_addresses() -> Addresses:
    """Addresses of one lab, in the block of this process."""
    pid = os.getpid()
    addresses = Addresses(f"127.{64 + pid // 250 % 64}.{pid % 250}")
    port = free_dns_port((*addresses.nameservers, *addresses.resolvers, addresses.at(55)))
    return Addresses(addresses.prefix, dns_port=port)


@pytest.fixture
def dns_lab(dns_addresses: Addresses) -> Iterator[DnsLab]:
    """The running DNS of a lab."""
    lab = DnsLab(dns_addresses, tsig_name=TSIG_NAME, tsig_secret=TSIG_SECRET)
    lab.start()
    yield lab
    lab.stop()


MigrationMaker = Callable[..., Migration]


@pytest.fixture
def dns_migration(dns_addresses: Addresses, tmp_path: Path) -> MigrationMaker:
    """Makes a migration with the one domain of the lab; keywords change the domain, policy or server."""
    (tmp_path / "tsig.key").write_text(TSIG_SECRET)

    def make(*, policy: Mapping[str, Any] | None = None, primary: str = "", **domain: Any) -> Migration:
        server = primary or addresses.server(addresses.nameservers[0])
        described = {
            "name": SHOP, "app": "web", "zone": "example.test", "provider": "zone",
            "target": "web.apps.kovra.test", "source_target": "quiet-pine-1234.herokudns.test",
        }  # fmt: skip
        times = {"probe_timeout": timedelta(seconds=0.8), "action_deadline": timedelta(seconds=1.5)}
        numbers = {"low_ttl": 1, "restored_ttl": 4, "propagation_deadline": timedelta(seconds=6)}
        return Migration(
            name="shop",
            source=Source(platform="heroku"),
            target=Target(),
            apps=(App(name="web"),),
            domains=(Domain(**{**described, **domain}),),
            dns_providers=(
                DnsProviderConfig(
                    name="zone", kind="rfc2136", server=server, key_name=TSIG_NAME, key_secret="file:tsig.key"
                ),
                DnsProviderConfig(name="hand", kind="manual"),
            ),
            resolvers=tuple(addresses.server(address) for address in addresses.resolvers),
            dns_port=addresses.dns_port,
            policy=Policy(**{**times, **numbers, **(policy or {})}),
            directory=tmp_path,
        )

    addresses = dns_addresses
    return make


AccessMaker = Callable[..., Access]


@pytest.fixture
def dns_access(dns_migration: MigrationMaker, tmp_path: Path) -> AccessMaker:
    """Makes the access to the lab's DNS; keywords as `dns_migration`, `records=` is the ledger."""

    def make(*, records: LedgerOf | None = None, **changes: Any) -> Access:
        migration = dns_migration(**changes)
        clients = Clients(source=_nobody, kovra=_nobody, dns=provider_for)
        return Access(migration, Secrets(tmp_path), records or LedgerOf(), clients, work=tmp_path)

    return make


def _nobody(access: Access) -> Any:
    raise AssertionError(f"DNS asks no platform ({access.migration.name})")


def observe(question: Question[Any], access: Access) -> Observation:
    """Put one question as the engine does: the answer, or why there is none, as plain JSON data."""
    answer, error = None, None
    try:
        seen = {**DNS, **LEDGER}[type(question)](question, access)
        answer = adapter(question.answer_type).dump_python(seen, mode="json")
    except CouldNotLook as problem:
        error = {"tried": problem.tried, "seen": problem.seen, "remedy": problem.remedy}
    return Observation(question.key(), question.kind, question.fields(), datetime.now(UTC), 0.0, "here", answer, error)


def run_check(stage: str, check_id: str, access: Access) -> list[Finding]:
    """Run one of the suites' DNS checks for the migration's domain. Raises CouldNotLook where it is broken."""
    path = Path(__file__).parent.parent / "suites" / stage / "test_dns.py"
    spec = importlib.util.spec_from_file_location(f"suite_{stage}_dns", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, "test_" + check_id.replace("-", "_"))
    given = {"migration": access.migration, "domain": access.migration.domains[0]}
    check: Check = function(**{name: given[name] for name in inspect.signature(function).parameters})
    return list(check.judge(Observations(observe(question, access) for question in check.asks)))
