"""The lab's DNS, asked as anybody would ask it."""

from __future__ import annotations

import base64
import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest
from fix_dns import SHOP, TSIG_NAME, TSIG_SECRET

from kovra_checks.lab.dns_resolver import CachingResolver
from kovra_checks.lab.dns_server import AuthoritativeServer
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.lab.dns_zone import Zone

ZONE = "example.test"


def dig(server: AuthoritativeServer, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    """One query without EDNS, as an old client puts it."""
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(dns.message.make_query(name, kind), server.address, port=server.port, timeout=2)


def resolved(lab: DnsLab, name: str, kind: str, which: int = 0) -> dns.message.Message:
    """One recursive query to one of the lab's resolvers."""
    resolver = lab.resolvers[which]
    return dns.query.udp(dns.message.make_query(name, kind), resolver.address, port=resolver.port, timeout=2)


def key(secret: str = TSIG_SECRET) -> dns.tsig.Key:
    """The lab's update key, or one of that name with another secret."""
    return dns.tsig.Key(TSIG_NAME, secret, "hmac-sha256")


def send(lab: DnsLab, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Send an update to the primary."""
    return dns.query.tcp(update, lab.primary.address, port=lab.primary.port, timeout=2).rcode()


def test_starts_quickly_and_stops_twice(dns_lab: DnsLab) -> None:
    """A stopped lab can be stopped again and started again, each in a fraction of a second."""
    dns_lab.stop()
    dns_lab.stop()
    begin = time.monotonic()
    dns_lab.start()
    assert time.monotonic() - begin < 0.5


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_both_servers_hold_the_zone(dns_lab: DnsLab, which: str) -> None:
    """Primary and secondary answer alike and with authority."""
    answer = dig(getattr(dns_lab, which), SHOP, "A")
    assert answer.flags & dns.flags.AA
    assert [rrset.to_text() for rrset in answer.answer] == [f"{SHOP}. 4 IN CNAME quiet-pine-1234.herokudns.test."]


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("nothing.example.test", "A", "NXDOMAIN"),
        (SHOP, "TXT", "NOERROR"),
        ("example.test", "AAAA", "NOERROR"),
        ("elsewhere.org", "A", "REFUSED"),
    ],
)
def test_what_is_not_there(dns_lab: DnsLab, name: str, kind: str, rcode: str) -> None:
    """A missing name, a missing type and a foreign zone are three different answers."""
    assert dns.rcode.to_text(dig(dns_lab.primary, name, kind).rcode()) == rcode


def test_long_answers_need_tcp(dns_lab: DnsLab) -> None:
    """What does not fit into 512 bytes is cut with TC set over UDP and whole over TCP."""
    dns_lab.set_record(ZONE, f"long.{ZONE}", "TXT", 4, [f'"{number:03}{"x" * 100}"' for number in range(12)])
    assert dig(dns_lab.primary, f"long.{ZONE}", "TXT").flags & dns.flags.TC
    assert len(dig(dns_lab.primary, f"long.{ZONE}", "TXT", tcp=True).answer[0]) == 12


def test_signed_update_reaches_both_servers(dns_lab: DnsLab) -> None:
    """An update bumps the serial, and when its answer arrives the secondary has it too."""
    before = dns_lab.primary.zones[ZONE].serial
    update = dns.update.UpdateMessage(ZONE, keyring=key())
    update.replace("shop", 1, "CNAME", "web.apps.kovra.test.")
    assert send(dns_lab, update) == dns.rcode.NOERROR
    for server in (dns_lab.primary, dns_lab.secondary):
        assert server.zones[ZONE].serial == before + 1
        assert dig(server, SHOP, "CNAME").answer[0][0].to_text() == "web.apps.kovra.test."


def test_unsigned_update_is_refused(dns_lab: DnsLab) -> None:
    """Nobody without the key changes a record."""
    update = dns.update.UpdateMessage(ZONE)
    update.delete("shop")
    assert send(dns_lab, update) == dns.rcode.REFUSED
    assert dns_lab.records(SHOP, "CNAME") is not None


def test_update_with_wrong_key_is_refused(dns_lab: DnsLab) -> None:
    """A key of the right name with another secret is not authentic, and the answer is not signed."""
    update = dns.update.UpdateMessage(ZONE, keyring=key(base64.b64encode(b"y" * 32).decode()))
    update.delete("shop")
    with pytest.raises(dns.exception.FormError):
        send(dns_lab, update)
    assert dns_lab.records(SHOP, "CNAME") is not None


@pytest.mark.parametrize(
    ("kind", "value", "rcode"),
    [
        ("CNAME", "quiet-pine-1234.herokudns.test.", dns.rcode.NOERROR),
        ("CNAME", "another.test.", dns.rcode.NXRRSET),
        ("A", "192.0.2.1", dns.rcode.NXRRSET),
    ],
)
def test_prerequisite_decides(dns_lab: DnsLab, kind: str, value: str, rcode: dns.rcode.Rcode) -> None:
    """An update is applied only if the record set is exactly as its prerequisite says."""
    update = dns.update.UpdateMessage(ZONE, keyring=key())
    update.present("shop", kind, value)
    update.replace("shop", 1, "CNAME", "web.apps.kovra.test.")
    assert send(dns_lab, update) == rcode
    applied = dns_lab.records(SHOP, "CNAME") == (1, ("web.apps.kovra.test.",))
    assert applied == (rcode == dns.rcode.NOERROR)


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [("shop", None, dns.rcode.YXDOMAIN), ("shop", "CNAME", dns.rcode.YXRRSET), ("free", None, dns.rcode.NOERROR)],
)
def test_absence_as_prerequisite(dns_lab: DnsLab, name: str, kind: str | None, rcode: dns.rcode.Rcode) -> None:
    """What must be absent and is there stops the update."""
    update = dns.update.UpdateMessage(ZONE, keyring=key())
    update.absent(name, kind)
    update.add("free", 4, "A", "192.0.2.9")
    assert send(dns_lab, update) == rcode


def test_update_deletes_single_records(dns_lab: DnsLab) -> None:
    """One address of two is taken away; a CNAME beside it is not accepted."""
    dns_lab.set_record(ZONE, f"two.{ZONE}", "A", 4, ["192.0.2.1", "192.0.2.2"])
    update = dns.update.UpdateMessage(ZONE, keyring=key())
    update.delete("two", "A", "192.0.2.1")
    update.add("two", 4, "CNAME", "elsewhere.test.")
    assert send(dns_lab, update) == dns.rcode.NOERROR
    assert dns_lab.records(f"two.{ZONE}", "A") == (4, ("192.0.2.2",))
    assert dns_lab.records(f"two.{ZONE}", "CNAME") is None


def test_frozen_secondary_stays_behind(dns_lab: DnsLab) -> None:
    """After freezing, the secondary serves the old data with the old serial."""
    dns_lab.freeze_secondary()
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, ["web.apps.kovra.test"])
    assert dig(dns_lab.primary, SHOP, "CNAME").answer[0].ttl == 1
    assert dig(dns_lab.secondary, SHOP, "CNAME").answer[0].ttl == 4


def test_transfer_is_for_secondaries_alone(dns_lab: DnsLab) -> None:
    """Anyone else is refused a zone transfer."""
    query = dns.message.make_query(ZONE, "AXFR")
    where = dns_lab.primary.address
    answer = dns.query.tcp(query, where, port=dns_lab.primary.port, timeout=2, source="127.0.0.9")
    assert answer.rcode() == dns.rcode.REFUSED


def test_saved_state_is_restored(dns_lab: DnsLab) -> None:
    """What was saved comes back, on both servers, with serials."""
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, ["web.apps.kovra.test"])
    saved = dns_lab.save()
    dns_lab.set_record(ZONE, SHOP, "CNAME", 9, ["other.test"])
    dns_lab.load(saved)
    assert dns_lab.save() == saved
    assert dig(dns_lab.secondary, SHOP, "CNAME").answer[0].ttl == 1


def test_garbage_gets_no_answer_and_does_no_harm(dns_lab: DnsLab) -> None:
    """Bytes that are not DNS are dropped; the server goes on."""
    assert list(dns_lab.primary.handle(b"\x00\x01garbage", tcp=False, peer="127.0.0.1")) == []
    assert list(dns_lab.resolvers[0].handle(b"\x00", tcp=False, peer="127.0.0.1")) == []
    assert dig(dns_lab.primary, ZONE, "SOA").rcode() == dns.rcode.NOERROR


def test_resolver_follows_names_across_zones(dns_lab: DnsLab) -> None:
    """A CNAME into another zone is followed to its addresses."""
    answer = resolved(dns_lab, SHOP, "A")
    assert answer.flags & dns.flags.RA
    assert [rrset.rdtype for rrset in answer.answer] == [dns.rdatatype.CNAME, dns.rdatatype.A]
    assert answer.answer[1][0].to_text() == dns_lab.addresses.source_edge


def test_resolver_keeps_a_copy_until_its_ttl_runs_out(dns_lab: DnsLab) -> None:
    """The old record is served with a shrinking TTL by a resolver that had asked before, until it has run out."""
    clock = [100.0]
    servers = [(each.address, each.port) for each in (dns_lab.primary, dns_lab.secondary)]
    resolver = CachingResolver(dns_lab.addresses.at(55), 0, upstream={ZONE: servers}, clock=lambda: clock[0])
    resolver.start()
    shown = []
    for seconds in (0.0, 2.5, 4.5):
        clock[0] = 100.0 + seconds
        query = dns.message.make_query(SHOP, "CNAME")
        seen = dns.query.udp(query, resolver.address, port=resolver.port, timeout=2).answer[0]
        shown.append((seen.ttl, seen[0].to_text()))
        dns_lab.set_record(ZONE, SHOP, "CNAME", 1, ["web.apps.kovra.test"])
    resolver.stop()
    old = "quiet-pine-1234.herokudns.test."
    assert shown == [(4, old), (2, old), (1, "web.apps.kovra.test.")]


def test_knowing_there_is_no_cname_says_nothing_of_addresses(dns_lab: DnsLab) -> None:
    """A kept negative answer for one type does not answer for another."""
    assert not resolved(dns_lab, "web.apps.kovra.test", "CNAME").answer
    assert resolved(dns_lab, "web.apps.kovra.test", "A").answer


@pytest.mark.parametrize(
    ("name", "rcode"), [("nothing.example.test", "NXDOMAIN"), ("test", "NOERROR"), ("nowhere.org", "NXDOMAIN")]
)
def test_resolver_says_what_does_not_exist(dns_lab: DnsLab, name: str, rcode: str) -> None:
    """Names of nobody do not exist; parents of the lab's zones do."""
    assert dns.rcode.to_text(resolved(dns_lab, name, "A").rcode()) == rcode


def test_resolver_fails_over_and_gives_up(dns_lab: DnsLab) -> None:
    """One dead nameserver is passed over; without any the answer is SERVFAIL."""
    dns_lab.secondary.lame = frozenset({ZONE})
    assert all(resolved(dns_lab, f"mail.{ZONE}", "A", which).answer for which in range(3))
    dns_lab.primary.lame = frozenset({ZONE})
    dns_lab.flush_resolvers()
    assert resolved(dns_lab, SHOP, "A").rcode() == dns.rcode.SERVFAIL


def test_zone_refuses_what_is_no_dns_data() -> None:
    """A value that is no record data is an error and leaves the zone as it was."""
    zone = Zone("example.test", {})
    with pytest.raises(dns.exception.DNSException):
        zone.put("a.example.test", "A", 1, ["not-an-address"])
    assert zone.serial == 1
