"""From a name to a connection, by the migration's own resolvers: the system's resolver and hosts file play no part."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.routes import Place
from kovra_checks.probes.dns_lookup import ask, split_server

__all__ = ["Resolved", "addresses_of", "connect", "literal_address", "look_up", "settle"]

LONGEST_LOOKUP = 5.0  # seconds; a resolver that takes longer is not waited for while others answer


@dataclass(frozen=True, slots=True)
class Resolved:
    """Addresses of a name, IPv4 first, and for how many seconds they may be kept. No addresses: it has none."""

    addresses: tuple[str, ...]
    ttl: int


def literal_address(text: str) -> str | None:
    """The address if *text* is one (also in brackets), else None."""
    try:
        return str(ipaddress.ip_address(split_server(text)[0]))
    except ValueError:
        return None


def look_up(name: str, resolver: str, timeout: float) -> Resolved:
    """A and AAAA records of *name* at one recursive *resolver*. Raises CouldNotLook unless it answers definitely."""
    found: list[str] = []
    ttls: list[int] = []
    for kind in ("A", "AAAA"):
        answer = ask(resolver, name, kind, timeout=timeout, recurse=True)
        if answer.rcode not in ("NOERROR", "NXDOMAIN"):
            raise CouldNotLook(
                f"look up {name} {kind} at {answer.server}",
                seen=f"the resolver answered {answer.rcode}",
                remedy="see whether the zone's nameservers answer and whether its DNSSEC is in order",
            )
        found += [value for records in answer.records if records.type == kind for value in records.values]
        ttls += [records.ttl for records in answer.records]
    return Resolved(_sorted(found), min(ttls, default=0))


def _sorted(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(addresses), key=lambda each: (":" in each, ipaddress.ip_address(each))))


def addresses_of(name: str, access: Access) -> tuple[str, ...]:
    """All addresses of *name*: what each of the migration's resolvers says, joined, since users ask them all.

    An address is its own answer. Empty if the name has none. Raises CouldNotLook if no resolver answers.
    """
    literal = literal_address(name)
    if literal is not None:
        return (literal,)
    timeout = min(access.timeout, LONGEST_LOOKUP)
    found: list[str] = []
    problems: list[str] = []
    with ThreadPoolExecutor(len(access.resolvers)) as pool:
        for answer in pool.map(lambda resolver: _try(name, resolver, timeout), access.resolvers):
            if isinstance(answer, Resolved):
                found += answer.addresses
            else:
                problems.append(answer)
    if len(problems) == len(access.resolvers):
        raise CouldNotLook(
            f"look up {name}",
            seen="; ".join(problems),
            remedy="name resolvers that can be reached from here under `resolvers`",
        )
    return _sorted(found)


def _try(name: str, resolver: str, timeout: float) -> Resolved | str:
    try:
        return look_up(name, resolver, timeout)
    except CouldNotLook as error:
        return f"{error.tried}: {error.seen}"


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection. Raises OSError."""
    connection = socket.create_connection((address, port), timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def settle(place: Place, access: Access) -> Place:
    """*place* with its host known, asked of the platform if need be. Raises CouldNotLook if that does not say."""
    if place.host:
        return place
    app = access.migration.app(place.app)
    if place.side == "source":
        return _from_url(access.source().app(app.source).web_url, app.source)
    found = access.kovra().app(app.target_name)
    if found is None or found.generated_host is None:
        raise CouldNotLook(
            f"host Kovra generated for {app.target_name}",
            seen="there is no such app" if found is None else "the app has none yet",
            remedy=f"deploy the app first, or set apps.{app.name}.generated_host",
        )
    return Place(found.generated_host, place.port)


def _from_url(url: str | None, app: str) -> Place:
    scheme, _, rest = (url or "").partition("://")
    authority = rest.partition("/")[0]
    if not authority or scheme not in ("http", "https"):
        raise CouldNotLook(
            f"address of {app} at the source",
            seen="the source platform names none",
            remedy="give the app a domain under [domains] with its source_target: then both sides can be compared",
        )
    host, port = split_server(authority, 443 if scheme == "https" else 80)
    return Place(host, port, scheme="https" if scheme == "https" else "http")
