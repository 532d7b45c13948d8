"""Every authoritative server of a zone, asked directly: serials, the records at one name, CAA, challenges."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import Answer, RecordsSeen, ServerView, ZoneSurvey, ZoneView, same_name
from kovra_checks.probes.dns_lookup import ask, join_server
from kovra_checks.probes.dns_resolvers import ask_any_resolver
from kovra_checks.probes.net import addresses_of

__all__ = ["Nameserver", "discover", "record_sets", "survey", "zone_survey"]

# What may stand at a name and matters to a CNAME or address record there (RFC 2181 section 10.1, RFC 9460).
TYPES = ("A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "SRV", "SVCB", "TXT")
Nameserver = tuple[str, str]  # its name, and `address:port`


def discover(access: Access, zone: str) -> tuple[tuple[Nameserver, ...], tuple[str, ...], tuple[str, ...]]:
    """The zone's nameservers by way of the resolvers: those to ask, unreachable addresses, names without address.

    They are asked at `migration.dns_port`. Raises CouldNotLook if the zone has no NS set or the resolvers fail.
    """
    names = sorted(
        value for each in ask_any_resolver(access, zone, "NS").records if each.type == "NS" for value in each.values
    )
    if not names:
        raise CouldNotLook(
            f"find the nameservers of {zone}",
            seen="the resolvers know no NS record of that name",
            remedy="set domains.<name>.zone to the zone that holds the record, as your DNS provider calls it",
        )
    port = access.migration.dns_port
    reachable: list[Nameserver] = []
    unreachable: list[str] = []
    nameless: list[str] = []
    for name in names:
        addresses = addresses_of(name, access)
        for address in addresses:
            if ":" in address and not _has_route(address):
                unreachable.append(join_server(address, port))
            else:
                reachable.append((name, join_server(address, port)))
        if not addresses:
            nameless.append(name)
    return tuple(reachable), tuple(unreachable), tuple(nameless)


def _has_route(address: str) -> bool:
    """Whether this host can send to an IPv6 *address* at all. Connecting a UDP socket sends nothing."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 53))
    except OSError:
        return False
    return True


def survey(access: Access, zone: str, name: str) -> ZoneView:
    """What every authoritative server of *zone* holds at *name*, all asked at once. Raises CouldNotLook."""
    servers, unreachable, nameless = discover(access, zone)
    if not servers:
        raise CouldNotLook(
            f"ask the nameservers of {zone}",
            seen="none of them has an address that can be reached from here",
            remedy="run this from a host with a route to them (IPv6?), or correct the zone's NS records",
        )
    with ThreadPoolExecutor(max_workers=min(16, len(servers))) as pool:
        views = pool.map(lambda each: _view(each, zone, name, access.timeout), servers)
        return ZoneView(zone, name, tuple(sorted(views, key=lambda view: view.server)), unreachable, nameless)


def _view(nameserver: Nameserver, zone: str, name: str, timeout: float) -> ServerView:
    host, server = nameserver
    try:
        soa = ask(server, zone, "SOA", timeout=timeout)
        if (lame := _lame(soa)) is not None:
            return ServerView(host, server, lame=lame)
        records = record_sets(server, name, timeout)
        challenge = _own(server, f"_acme-challenge.{name.removeprefix('*.')}", "CNAME", timeout)
        caa = tuple(found for each in _climb(name, zone) if (found := _own(server, each, "CAA", timeout)) is not None)
    except CouldNotLook as error:
        return ServerView(host, server, error=f"{error.tried}: {error.seen}")
    serial = int(soa.records[0].values[0].split()[2])
    return ServerView(host, server, serial=serial, records=records, challenge=challenge, caa=caa)


def _lame(soa: Answer) -> str | None:
    """RFC 1912 section 2.8: delegated the zone, yet no authority for it."""
    if soa.rcode != "NOERROR":
        return soa.rcode
    if not soa.authoritative:
        return "not authoritative"
    return None if any(each.type == "SOA" for each in soa.records) else "no SOA record"


def _own(server: str, name: str, kind: str, timeout: float) -> RecordsSeen | None:
    """The record set at exactly *name*: what a CNAME leads to is not the name's own."""
    answer = ask(server, name, kind, timeout=timeout)
    if answer.rcode not in ("NOERROR", "NXDOMAIN"):
        raise CouldNotLook(f"ask {server} for {name} {kind}", seen=answer.rcode, remedy="see the nameserver's own log")
    return next((each for each in answer.records if each.type == kind and each.name == same_name(name)), None)


def record_sets(server: str, name: str, timeout: float) -> tuple[RecordsSeen, ...]:
    """All record sets that *server* holds at *name* itself, sorted by type. Raises CouldNotLook."""
    return tuple(found for kind in TYPES if (found := _own(server, name, kind, timeout)) is not None)


def _climb(name: str, zone: str) -> Iterator[str]:
    """*name* and its parents up to the zone's apex (RFC 8659 section 3)."""
    name = name.removeprefix("*.")
    while name != zone and "." in name:
        yield name
        name = name.partition(".")[2]
    yield zone


def zone_survey(question: ZoneSurvey, access: Access) -> ZoneView:
    """The survey as a question."""
    return survey(access, question.zone, question.name)
