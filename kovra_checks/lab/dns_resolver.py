"""A caching resolver: knows which servers hold which zone, honours TTLs, follows CNAMEs from zone to zone."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from kovra_checks.lab.dns_listener import DnsListener, fitted
from kovra_checks.lab.dns_zone import absolute, below

__all__ = ["CachingResolver"]

PATIENCE = 0.5  # seconds until the next server of a zone is tried
MOST_CNAMES = 8


class _Unanswered(Exception):
    """No server of the zone gave a usable answer: SERVFAIL."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """One cache entry. `rrset` None means that the name has no such record, or (`missing`) does not exist at all."""

    until: float
    rrset: dns.rrset.RRset | None
    missing: bool = False


class CachingResolver(DnsListener):
    """Answers recursive queries from its own cache and from *upstream*: zone -> servers (address, port).

    *clock* tells the seconds by which copies age.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        upstream: Mapping[str, Sequence[tuple[str, int]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(address, port)
        self._clock = clock
        self._upstream = {absolute(zone): tuple(servers) for zone, servers in upstream.items()}
        self._cache: dict[tuple[str, str], _Kept] = {}
        self._cache_lock = threading.Lock()
        self._turn = itertools.count()

    def flush(self) -> None:
        """Forget everything, as if all TTLs had run out."""
        with self._cache_lock:
            self._cache.clear()

    def handle(self, wire: bytes, *, tcp: bool, peer: str) -> Iterable[bytes]:
        """Answer one recursive query; from anyone, for there is nobody but the lab."""
        del peer
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return []
        if query.flags & dns.flags.QR or not query.question:
            return []
        response = dns.message.make_response(query, recursion_available=True)
        try:
            self._resolve(query.question[0], response)
        except _Unanswered:
            response.answer.clear()
            response.set_rcode(dns.rcode.SERVFAIL)
        return [fitted(query, response, tcp=tcp)]

    def _resolve(self, question: dns.rrset.RRset, response: dns.message.Message) -> None:
        name, kind = absolute(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        for _ in range(MOST_CNAMES):
            kept = self._kept(name, kind) or self._alias(name) or self._fetch(name, kind)
            if kept.rrset is None:
                response.set_rcode(dns.rcode.NXDOMAIN if kept.missing else dns.rcode.NOERROR)
                return
            response.answer.append(self._aged(kept))
            if kept.rrset.rdtype == question.rdtype:
                return
            name = absolute(kept.rrset[0].target.to_text())
        raise _Unanswered  # a loop, or a chain nobody should have

    def _kept(self, name: str, kind: str) -> _Kept | None:
        with self._cache_lock:
            kept = self._cache.get((name, kind))
        return kept if kept is not None and kept.until > self._clock() else None

    def _alias(self, name: str) -> _Kept | None:
        """A kept CNAME answers queries for every type; knowing that there is none answers nothing else."""
        kept = self._kept(name, "CNAME")
        return None if kept is None or kept.rrset is None else kept

    def _fetch(self, name: str, kind: str) -> _Kept:
        servers = self._servers(name)
        if servers is None:  # as the root would say; an ancestor of a known zone exists, though it is empty
            known = any(below(zone, name) for zone in self._upstream)
            return _Kept(self._clock(), None, missing=not known)
        first = next(self._turn) % len(servers)
        for address, port in (*servers[first:], *servers[:first]):
            query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
            query.flags &= ~dns.flags.RD
            try:
                answer, _ = dns.query.udp_with_fallback(query, address, port=port, timeout=PATIENCE)
            except (dns.exception.DNSException, OSError):
                continue
            if answer.flags & dns.flags.AA and answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return self._keep(name, kind, answer)
        raise _Unanswered

    def _servers(self, name: str) -> tuple[tuple[str, int], ...] | None:
        zones = [zone for zone in self._upstream if below(name, zone)]
        return self._upstream[max(zones, key=len)] if zones else None

    def _keep(self, name: str, kind: str, answer: dns.message.Message) -> _Kept:
        """Put the answer for *name* itself into the cache. The rest of a chain is asked for as its names come up."""
        now = self._clock()
        kept_as, kept = kind, None
        for rrset in answer.answer:
            found = dns.rdatatype.to_text(rrset.rdtype)
            if absolute(rrset.name.to_text()) == name and found in (kind, "CNAME"):
                kept_as, kept = found, _Kept(now + rrset.ttl, rrset)
        if kept is None:
            soa = next((each for each in answer.authority if each.rdtype == dns.rdatatype.SOA), None)
            wait = 0 if soa is None else min(soa.ttl, soa[0].minimum)  # RFC 2308 section 5
            kept = _Kept(now + wait, None, missing=answer.rcode() == dns.rcode.NXDOMAIN)
        with self._cache_lock:
            self._cache[name, kept_as] = kept
        return kept

    def _aged(self, kept: _Kept) -> dns.rrset.RRset:
        """The record set with the TTL it has left, in whole seconds, rounded up."""
        assert kept.rrset is not None
        left = max(0, math.ceil(kept.until - self._clock()))
        return dns.rrset.from_rdata(kept.rrset.name, left, *kept.rrset)
