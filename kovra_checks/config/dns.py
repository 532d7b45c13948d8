"""What a zone cannot hold, known before any server is asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator

from kovra_checks.config.problems import KeyPath, Trouble, shown
from kovra_checks.migration import Domain

__all__ = ["domain_troubles"]

_ADDRESS_LIKE = re.compile(r"[0-9.]+(:\d+)?|\[.*")


def domain_troubles(domains: Collection[Domain], keys: Collection[str]) -> Iterator[Trouble]:
    """What is wrong with *domains*, whose tables have *keys* in the file."""
    by_host: dict[str, list[str]] = {}
    for key in keys:
        by_host.setdefault(key.rstrip(".").lower(), []).append(key)
    for host, spellings in by_host.items():
        for again in spellings[1:]:
            yield Trouble(("domains", again), f"the same host as domains.{host}", "keep one of the two tables")
    for domain in domains:
        path = ("domains", by_host.get(domain.name, [domain.name])[0])
        yield from _zone(domain, path)
        yield from _targets(domain, path)


def _zone(domain: Domain, path: KeyPath) -> Iterator[Trouble]:
    if domain.zone.startswith("*."):
        yield Trouble((*path, "zone"), f"found {shown(domain.zone)}", "a zone's name has no wildcard")
    elif domain.name != domain.zone and not domain.name.endswith(f".{domain.zone}"):
        seen = f"{domain.name} is not inside zone {domain.zone}"
        yield Trouble((*path, "zone"), seen, "name the zone that holds this record, e.g. the registered domain")
    elif domain.name == domain.zone and _is_host(domain.target):
        # RFC 1034, section 3.6.2: where a CNAME is, nothing else may be; an apex always has SOA and NS
        seen = f"a zone apex cannot hold a CNAME, and target is the host name {domain.target}"
        remedy = "give the target's address, or move the site to a name below the apex (www) and redirect"
        yield Trouble((*path, "target"), seen, remedy)


def _targets(domain: Domain, path: KeyPath) -> Iterator[Trouble]:
    for key, value in (("target", domain.target), ("source_target", domain.source_target)):
        if value == domain.name:
            yield Trouble((*path, key), "the record would point at itself", "name the platform's side of the record")
        elif _is_host(value):
            if value.startswith("*."):
                yield Trouble((*path, key), f"found {shown(value)}", "a record points at one host, not at a wildcard")
        elif not _is_address(value):
            remedy = "write one valid address without a port, or a host name; the port belongs into `port`"
            yield Trouble((*path, key), f"found {shown(value)}", remedy)
    if domain.target == domain.source_target:
        yield Trouble((*path, "target"), "the same as source_target: the swap would change nothing",
                      "name what Kovra shows for this domain")  # fmt: skip


def _is_host(value: str) -> bool:
    return not _ADDRESS_LIKE.fullmatch(value) and not _is_address(value) and ":" not in value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
