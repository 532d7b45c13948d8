"""Both sides of a move on loopback: edges with real certificates, the DNS that leads to them, and an Access."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fix_dns import LedgerOf

from kovra_checks.access import Access, Clients
from kovra_checks.dns_providers import provider_for
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.ca import LabCA
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response, problem
from kovra_checks.migration import Migration
from kovra_checks.platforms import kovra_cloud, source_platform
from kovra_checks.secrets import Secrets

SHOP = "shop.example.test"
GENERATED = "web.apps.kovra.test"
Page = Response | Callable[[Request], Response]


@dataclass
class Site:
    """An app that answers what the test puts under a path, and remembers what it was asked."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        """The page of the path."""
        self.asked.append(request)
        page = self.pages.get(request.path, problem(404, "not found"))
        return page if isinstance(page, Response) else page(request)


@dataclass
class Sides:
    """The two sides, the name between them, and the way to look at them."""

    addresses: Addresses
    ca: LabCA
    dns: DnsLab
    source_edge: Edge
    target_edge: Edge
    directory: Path
    source: Site = field(default_factory=Site)
    target: Site = field(default_factory=Site)

    def certify(
        self, edge: Edge, name: str = SHOP, *, shown_for: str = SHOP, only: str | None = None, **how: Any
    ) -> None:
        """Let *edge* show a certificate for *name* when *shown_for* is asked for."""
        chain, key = self.ca.issue([name], **how)
        edge.set_certificate(shown_for, chain.decode(), key.decode(), only)

    def swap(self) -> None:
        """Let the domain lead to the target, at once and for everybody."""
        self.dns.set_record("example.test", SHOP, "CNAME", 1, (f"{GENERATED}.",))
        self.dns.flush_resolvers()

    def migration(
        self, *, app: Mapping[str, Any] | None = None, domain: Mapping[str, Any] | None = None, **changes: Any
    ) -> Migration:
        """A migration of the shop; *app* and *domain* add to theirs, *changes* replace top-level keys."""
        port = self.addresses.https_port
        data: dict[str, Any] = {
            "name": "shop",
            "source": {"platform": "generic"},
            "target": {},
            "apps": [{"name": "web", "generated_host": GENERATED, **(app or {})}],
            "domains": [{"name": SHOP, "app": "web", "zone": "example.test", "target": GENERATED, "port": port,
                         "source_target": "quiet-pine-1234.herokudns.test", **(domain or {})}],
            "resolvers": [self.addresses.server(each) for each in self.addresses.resolvers],
            "policy": {"probe_timeout": timedelta(seconds=2), "samples": 12},
            "ca_file": str(self.ca.root_file),
            "directory": self.directory,
        }  # fmt: skip
        return Migration.model_validate({**data, **changes})

    def access(self, migration: Migration | None = None, **changes: Any) -> Access:
        """An Access of its own; *changes* as for `migration`."""
        chosen = self.migration(**changes) if migration is None else migration
        clients = Clients(source=source_platform, kovra=kovra_cloud, dns=provider_for)
        work = self.directory / "work"
        work.mkdir(exist_ok=True)
        return Access(chosen, Secrets(self.directory), LedgerOf(), clients, work=work)


@pytest.fixture
def sides(dns_addresses: Addresses, dns_lab: DnsLab, tmp_path: Path) -> Iterator[Sides]:
    """Both sides serve the shop with good certificates; the name leads to the source."""
    ca = LabCA(tmp_path / "ca")
    chain, key = ca.issue(["default.test"])
    default = (chain.decode(), key.decode())
    edges = [
        Edge(each, dns_addresses.https_port, dns_addresses.http_port, default)
        for each in ((dns_addresses.source_edge,), dns_addresses.target_edges)
    ]
    found = Sides(dns_addresses, ca, dns_lab, edges[0], edges[1], tmp_path)
    for edge, site in ((found.source_edge, found.source), (found.target_edge, found.target)):
        edge.route(SHOP, site)
        found.certify(edge)
        edge.start()
    found.target_edge.route(GENERATED, found.target)
    found.certify(found.target_edge, GENERATED, shown_for=GENERATED)
    yield found
    for edge in edges:
        edge.stop()
