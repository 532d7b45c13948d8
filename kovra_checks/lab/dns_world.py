"""All DNS of a lab: two authoritative servers, three resolvers, and the zones of the sample move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.dns_resolver import CachingResolver
from kovra_checks.lab.dns_server import AuthoritativeServer, TsigKey
from kovra_checks.lab.dns_zone import Zone, below
from kovra_checks.lab.setting import DOMAIN, SOURCE_DNS_TARGET, TARGET_HOST, ZONE

__all__ = ["DnsLab"]

OLD_TTL = 4
EDGE_TTL = 2
SIDE_TTL = 4  # records beside the one that moves


class DnsLab:
    """The lab's DNS. Constructed without I/O; `start` binds `addresses.nameservers` and `addresses.resolvers`.

    Attributes:
        primary: Takes RFC 2136 updates signed with the lab's key.
        secondary: Follows the primary by NOTIFY and AXFR.
        resolvers: Three resolvers with caches of their own.
    """

    def __init__(self, addresses: Addresses, *, tsig_name: str, tsig_secret: str) -> None:
        first, second = addresses.nameservers
        port = addresses.dns_port
        self.addresses = addresses
        self.primary = AuthoritativeServer(first, port, tsig=TsigKey(tsig_name, tsig_secret))
        self.secondary = AuthoritativeServer(second, port, secondary_of=(first, port))
        self.primary.secondaries = ((second, port),)
        servers = ((first, port), (second, port))
        zones = _zones(addresses)
        for zone in zones:
            self.primary.add(zone)
            self.secondary.add(Zone(zone.name, {}))
        self.resolvers = tuple(
            CachingResolver(address, port, upstream={zone.name: servers for zone in zones})
            for address in addresses.resolvers
        )

    def start(self) -> None:
        """Start all servers; the secondary has transferred every zone when this returns."""
        self.primary.start()
        self.secondary.start()
        for zone in self.primary.zones:
            self.secondary.refresh(zone)
        for resolver in self.resolvers:
            resolver.start()

    def stop(self) -> None:
        """Stop all servers and join their threads. Safe to call twice."""
        for server in (*self.resolvers, self.secondary, self.primary):
            server.stop()

    def save(self) -> dict[str, Any]:
        """Zones of both servers. Caches are not kept: a restarted resolver starts empty."""
        return {"primary": self.primary.save(), "secondary": self.secondary.save()}

    def load(self, data: Mapping[str, Any]) -> None:
        """Become what `save` returned."""
        self.primary.load(data["primary"])
        self.secondary.load(data["secondary"])

    def zone_of(self, name: str) -> str:
        """The lab's zone that holds *name*. Raises KeyError for a name of nobody here."""
        zone = self.primary.zone_of(name)
        if zone is None:
            raise KeyError(name)
        return zone.name

    def records(self, name: str, kind: str) -> tuple[int, tuple[str, ...]] | None:
        """TTL and values the primary holds for *name*, or None."""
        rrset = self.primary.zones[self.zone_of(name)].find(name, kind)
        return None if rrset is None else (rrset.ttl, tuple(sorted(rdata.to_text() for rdata in rrset)))

    def set_record(self, zone: str, name: str, kind: str, ttl: int, values: Sequence[str]) -> None:
        """Set one record set on the primary, which tells the secondary; without values it is removed.

        Host names are absolute, with or without the root dot. Resolvers keep what they have until its TTL runs out.
        """
        assert below(name, zone)
        self.primary.put(zone, name, kind, ttl, values)

    def freeze_secondary(self) -> None:
        """From now on the secondary ignores NOTIFY and serves what it has."""
        self.secondary.frozen = True

    def flush_resolvers(self) -> None:
        """Empty all resolver caches, as if every TTL had run out."""
        for resolver in self.resolvers:
            resolver.flush()


def _zones(addresses: Addresses) -> tuple[Zone, ...]:
    first, second = addresses.nameservers

    def zone(name: str) -> Zone:
        return Zone(name, {f"ns1.{name}": first, f"ns2.{name}": second})

    customer, source, target = (zone(name) for name in (ZONE, "herokudns.test", "kovra.test"))
    customer.put(ZONE, "MX", SIDE_TTL, (f"10 mail.{ZONE}.",))
    customer.put(ZONE, "TXT", SIDE_TTL, ('"v=spf1 mx -all"',))
    customer.put(ZONE, "CAA", SIDE_TTL, ('0 issue "letsencrypt.org"',))
    customer.put(f"mail.{ZONE}", "A", SIDE_TTL, (addresses.at(99),))
    customer.put(DOMAIN, "CNAME", OLD_TTL, (f"{SOURCE_DNS_TARGET}.",))
    source.put(SOURCE_DNS_TARGET, "A", EDGE_TTL, (addresses.source_edge,))
    target.put(TARGET_HOST, "A", EDGE_TTL, tuple(addresses.target_edges))
    return customer, source, target
