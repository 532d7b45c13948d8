"""An authoritative DNS server: several zones, RFC 2136 updates with TSIG, NOTIFY and zone transfer to secondaries."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from kovra_checks.lab.dns_listener import DnsListener, fitted
from kovra_checks.lab.dns_update import apply_update
from kovra_checks.lab.dns_zone import Zone, absolute, below

__all__ = ["AuthoritativeServer", "TsigKey"]

PATIENCE = 1.0  # seconds a server waits for another one
MOST_CNAMES = 8


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A shared key (RFC 8945): name, secret in base64, algorithm."""

    name: str
    secret: str
    algorithm: str = "hmac-sha256"

    def keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """As dnspython takes it."""
        name = dns.name.from_text(self.name)
        return {name: dns.tsig.Key(name, self.secret, self.algorithm)}


class AuthoritativeServer(DnsListener):
    """Serves its zones; a primary takes updates and tells its secondaries, a secondary transfers them.

    Attributes:
        zones: Zones by name.
        secondaries: Servers (address, port) that are notified and may transfer.
        frozen: A secondary that no longer transfers: it goes on serving what it has.
        lame: Zones this server refuses to answer for, though it is delegated them.
    """

    def __init__(
        self, address: str, port: int, *, tsig: TsigKey | None = None, secondary_of: tuple[str, int] | None = None
    ) -> None:
        super().__init__(address, port)
        self.zones: dict[str, Zone] = {}
        self.secondaries: tuple[tuple[str, int], ...] = ()
        self.frozen = False
        self.lame: frozenset[str] = frozenset()
        self._tsig = tsig
        self._primary = secondary_of
        self._transferring = threading.Lock()

    def add(self, zone: Zone) -> None:
        """Serve *zone*: its data on a primary, an empty zone of that name on a secondary."""
        self.zones[zone.name] = zone

    def save(self) -> dict[str, Any]:
        """All zones as plain JSON data."""
        zones = {name: zone.save() for name, zone in sorted(self.zones.items())}
        return {"zones": zones, "frozen": self.frozen, "lame": sorted(self.lame)}

    def load(self, data: Mapping[str, Any]) -> None:
        """Become what `save` returned."""
        for name, saved in data["zones"].items():
            self.zones.setdefault(name, Zone(name, {})).load(saved)
        self.frozen, self.lame = bool(data["frozen"]), frozenset(data["lame"])

    def zone_of(self, name: str) -> Zone | None:
        """The most specific zone that holds *name*."""
        held = [zone for zone in self.zones.values() if below(absolute(name), zone.name)]
        return max(held, key=lambda zone: len(zone.name), default=None)

    def handle(self, wire: bytes, *, tcp: bool, peer: str) -> Iterable[bytes]:
        """Answer one message: QUERY, UPDATE or NOTIFY."""
        try:
            query = dns.message.from_wire(wire, keyring=self._tsig.keyring() if self._tsig is not None else None)
        except (dns.message.UnknownTSIGKey, dns.tsig.BadSignature, dns.tsig.BadTime, dns.tsig.BadAlgorithm):
            return self._not_authentic(wire)
        except (dns.exception.DNSException, ValueError):
            return []
        if query.flags & dns.flags.QR:
            return []
        if isinstance(query, dns.update.UpdateMessage):
            return [self._update(query).to_wire()]
        if query.opcode() == dns.opcode.NOTIFY:
            return self._notified(query)
        return self._queried(query, tcp=tcp, peer=peer)

    def _queried(self, query: dns.message.Message, *, tcp: bool, peer: str) -> Iterable[bytes]:
        if query.opcode() != dns.opcode.QUERY or not query.question:
            return [self._refusal(query, dns.rcode.NOTIMP)]
        if query.question[0].rdtype == dns.rdatatype.AXFR:
            return self._transfer(query, peer) if tcp else [self._refusal(query)]
        return [fitted(query, self._answer(query), tcp=tcp)]

    def _not_authentic(self, wire: bytes) -> list[bytes]:
        """RFC 8945 section 5.2: NOTAUTH, unsigned, so that the client cannot take it for a success."""
        return [self._refusal(dns.message.from_wire(wire, keyring=False), dns.rcode.NOTAUTH)]

    def _refusal(self, query: dns.message.Message, rcode: dns.rcode.Rcode = dns.rcode.REFUSED) -> bytes:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return response.to_wire()

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        name, kind = absolute(query.question[0].name.to_text()), dns.rdatatype.to_text(query.question[0].rdtype)
        zone = self.zone_of(name)
        if zone is None or zone.name in self.lame:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        for _ in range(MOST_CNAMES):
            found = zone.find(name, kind)
            if found is None and kind != "CNAME" and (alias := zone.find(name, "CNAME")) is not None:
                response.answer.append(alias)
                name = absolute(alias[0].target.to_text())
                if not below(name, zone.name):
                    return response  # the resolver goes on in the other zone
                continue
            if found is not None:
                response.answer.append(found)
                return response
            break
        response.authority.append(zone.soa())
        if not zone.exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def _update(self, query: dns.update.UpdateMessage) -> dns.message.Message:
        response = dns.message.make_response(query)
        zone = self.zones.get(absolute(query.zone[0].name.to_text())) if query.zone else None
        if zone is None:
            response.set_rcode(dns.rcode.NOTAUTH)
        elif self._tsig is None or not query.had_tsig or self._primary is not None:
            response.set_rcode(dns.rcode.REFUSED)
        else:
            before = zone.serial
            response.set_rcode(apply_update(zone, query))
            if zone.serial != before:
                self.notify(zone.name)
        return response

    def put(self, zone: str, name: str, kind: str, ttl: int, values: Sequence[str]) -> None:
        """Set one record set as the zone's owner would by hand (no values: remove it) and tell the secondaries."""
        self.zones[zone].put(name, kind, ttl, values)
        self.notify(zone)

    def notify(self, zone: str) -> None:
        """Tell every secondary that *zone* changed (RFC 1996). One that does not answer stays behind, as in life."""
        for address, port in self.secondaries:
            message = dns.message.make_query(zone, dns.rdatatype.SOA)
            message.set_opcode(dns.opcode.NOTIFY)
            message.flags = (message.flags & ~dns.flags.RD) | dns.flags.AA
            try:
                dns.query.udp(message, address, port=port, timeout=PATIENCE)
            except (dns.exception.DNSException, OSError):
                continue

    def _notified(self, query: dns.message.Message) -> list[bytes]:
        """Transfer first and answer then, so that whoever waited for the primary's answer sees both servers agree."""
        zone = absolute(query.question[0].name.to_text()) if query.question else ""
        if self._primary is None or zone not in self.zones:
            return [self._refusal(query, dns.rcode.NOTAUTH)]
        self.refresh(zone)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        return [response.to_wire()]

    def refresh(self, zone: str) -> None:
        """Transfer *zone* from the primary (RFC 5936). If that cannot be reached, the old data stand."""
        if self._primary is None or self.frozen:
            return
        address, port = self._primary
        with self._transferring:
            try:
                rrsets = list(_transferred(zone, address, port, source=self.address))
            except (dns.exception.DNSException, OSError, EOFError):
                return
            if len(rrsets) >= 2:
                self.zones[zone].become(rrsets[0][0].serial, rrsets[1:-1])

    def _transfer(self, query: dns.message.Message, peer: str) -> Iterator[bytes]:
        zone = self.zones.get(absolute(query.question[0].name.to_text()))
        if zone is None or peer not in {address for address, _ in self.secondaries}:
            yield self._refusal(query)
            return
        soa = zone.soa()
        for rrset in (soa, *zone, soa):
            response = dns.message.make_response(query)
            response.flags |= dns.flags.AA
            response.answer.append(rrset)
            yield response.to_wire(max_size=65535)


def _transferred(zone: str, address: str, port: int, *, source: str) -> Iterator[dns.rrset.RRset]:
    """The record sets of an AXFR, first and last the SOA; asked from *source*, by which the primary knows us."""
    query = dns.message.make_query(zone, dns.rdatatype.AXFR)
    with socket.create_connection((address, port), timeout=PATIENCE, source_address=(source, 0)) as connection:
        dns.query.send_tcp(connection, query)
        seen = 0
        while seen < 2:
            message, _ = dns.query.receive_tcp(connection)
            if message.rcode() != dns.rcode.NOERROR:
                return
            for rrset in message.answer:
                seen += rrset.rdtype == dns.rdatatype.SOA
                yield rrset
