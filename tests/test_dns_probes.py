"""DNS probes against the lab's servers."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest
from fix_dns import SHOP, AccessMaker, LedgerOf

from kovra_checks.access import ActionRecord
from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.observations.dns import (
    CaaAt,
    Lookup,
    Propagation,
    RecordsSeen,
    ResolverViews,
    TtlHistory,
    Watched,
    ZoneSurvey,
)
from kovra_checks.observations.ledger import ActionFacts, AppliedAction
from kovra_checks.probes.dns import ANSWERERS
from kovra_checks.probes.dns_history import ttl_history
from kovra_checks.probes.dns_lookup import ask, join_server, lookup, split_server
from kovra_checks.probes.dns_propagation import propagation
from kovra_checks.probes.dns_resolvers import caa_at, resolver_views
from kovra_checks.probes.dns_zone import zone_survey
from kovra_checks.probes.ledger import action_facts

ZONE = "example.test"
SOURCE, TARGET = "quiet-pine-1234.herokudns.test", "web.apps.kovra.test"


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("2001:db8::1", "2001:db8::1", 53),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353),
        ("[2001:db8::1]", "2001:db8::1", 53),
    ],
)
def test_servers_are_addresses_with_or_without_port(text: str, address: str, port: int) -> None:
    """Both families are understood, and joining undoes splitting."""
    assert split_server(text) == (address, port)
    assert split_server(join_server(address, port)) == (address, port)


def test_every_question_has_an_answerer() -> None:
    """No DNS question goes unanswered."""
    assert set(ANSWERERS) == {CaaAt, Lookup, Propagation, ResolverViews, TtlHistory, ZoneSurvey}


def test_lookup_tells_what_one_server_says(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Names are spelt without the root dot; the authority of the answer is told."""
    answer = lookup(Lookup(dns_lab.primary.server, SHOP, "CNAME"), dns_access())
    assert answer.records == (RecordsSeen(SHOP, "CNAME", 4, (SOURCE,)),)
    assert (answer.rcode, answer.authoritative, answer.truncated) == ("NOERROR", True, False)


def test_truncated_answers_are_fetched_by_tcp(dns_lab: DnsLab) -> None:
    """An answer too long even for EDNS comes whole over TCP."""
    dns_lab.set_record(ZONE, f"long.{ZONE}", "TXT", 4, [f'"{number:03}{"x" * 200}"' for number in range(12)])
    answer = ask(dns_lab.primary.server, f"long.{ZONE}", "TXT", timeout=2)
    assert answer.truncated
    assert len(answer.records[0].values) == 12


def test_silence_is_not_an_answer(dns_lab: DnsLab) -> None:
    """A server that says nothing could not be seen, and the message says whom to ask why."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((dns_lab.addresses.at(55), 0))
        server = f"{dns_lab.addresses.at(55)}:{silent.getsockname()[1]}"
        with pytest.raises(CouldNotLook, match=r"no answer within 0\.3 s, 3 attempts.*firewall"):
            ask(server, SHOP, "A", timeout=0.3)


def test_survey_sees_every_server(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Both authoritative servers are found by way of the resolvers and seen with all that stands at the name."""
    dns_lab.set_record(ZONE, f"_acme-challenge.{SHOP}", "CNAME", 4, ["token.verify.renderdns.com"])
    view = zone_survey(ZoneSurvey(ZONE, SHOP), dns_access())
    assert [each.nameserver for each in view.servers] == [f"ns1.{ZONE}", f"ns2.{ZONE}"]
    for server in view.servers:
        assert server.serial == dns_lab.primary.zones[ZONE].serial
        assert server.records == (RecordsSeen(SHOP, "CNAME", 4, (SOURCE,)),)
        assert server.challenge is not None
        assert server.challenge.values == ("token.verify.renderdns.com",)
        assert [each.name for each in server.caa] == [ZONE]


def test_survey_tells_lame_from_dead(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A server that refuses is lame; one that is down could not be seen; the others are seen all the same."""
    access = dns_access(policy={"probe_timeout": timedelta(seconds=0.3)})
    dns_lab.secondary.lame = frozenset({ZONE})
    assert zone_survey(ZoneSurvey(ZONE, SHOP), access).servers[1].lame == "REFUSED"
    dns_lab.secondary.stop()
    first, second = zone_survey(ZoneSurvey(ZONE, SHOP), access).servers
    assert first.error is None
    assert second.error is not None
    assert second.lame is None


def test_survey_of_no_zone_says_what_to_set(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A name that is no zone is a mistake in the configuration, not an empty answer."""
    assert dns_lab.primary.zones
    with pytest.raises(CouldNotLook, match=r"know no NS record.*domains\.<name>\.zone"):
        zone_survey(ZoneSurvey(f"sub.{ZONE}", f"a.sub.{ZONE}"), dns_access())


def test_nameserver_without_address_is_told(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A nameserver whose name leads nowhere is listed."""
    dns_lab.set_record(ZONE, ZONE, "NS", 4, [f"ns1.{ZONE}", f"gone.{ZONE}"])
    assert zone_survey(ZoneSurvey(ZONE, SHOP), dns_access()).nameless == (f"gone.{ZONE}",)


def test_resolvers_show_chain_addresses_and_time_left(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Each resolver's view has the CNAME chain, the addresses and the TTL left at the name."""
    dns_lab.resolvers[2].stop()
    access = dns_access(policy={"probe_timeout": timedelta(seconds=0.3)})
    first, second, third = resolver_views(ResolverViews(SHOP), access).views
    for view in (first, second):
        assert (view.chain, view.addresses) == ((SOURCE,), (dns_lab.addresses.source_edge,))
        assert view.ttl == 4
    assert third.error is not None


def test_an_address_stands_for_itself(dns_access: AccessMaker) -> None:
    """A target that is an address needs no resolver, not even a running one."""
    assert {view.addresses for view in resolver_views(ResolverViews("192.0.2.7"), dns_access()).views} == {
        ("192.0.2.7",)
    }


def test_caa_is_told_where_there_is_any(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Names without CAA are passed over; a resolver that fails is not taken for their absence."""
    seen = caa_at(CaaAt((TARGET, ZONE, "test")), dns_access())
    assert seen.found == (RecordsSeen(ZONE, "CAA", 4, ('0 issue "letsencrypt.org"',)),)
    dns_lab.primary.lame = dns_lab.secondary.lame = frozenset({ZONE})
    dns_lab.flush_resolvers()
    with pytest.raises(CouldNotLook, match="SERVFAIL"):
        caa_at(CaaAt((ZONE,)), dns_access())


def swapped(dns_lab: DnsLab, access_maker: AccessMaker, value: str, **policy: timedelta) -> Watched:
    """Swap to *value* while the resolvers still hold the old record, then watch for the target."""
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, [SOURCE])
    access = access_maker(policy=policy)
    resolver_views(ResolverViews(SHOP), access)
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, [value])
    return propagation(Propagation(ZONE, SHOP, TARGET, SOURCE), access)


def test_watch_ends_when_every_place_shows_the_change(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Resolvers come to show the new record once their copies run out; each look is kept with its time."""
    watched = swapped(dns_lab, dns_access, TARGET)
    assert watched.ended == "everywhere"
    assert [watcher.kind for watcher in watched.watchers] == ["authoritative"] * 2 + ["resolver"] * 3
    assert all(watched.shows(watcher.last) for watcher in watched.watchers)
    late = watched.watchers[2].samples
    assert late[0].values == (SOURCE,)
    assert [sample.at for sample in late] == sorted(sample.at for sample in late)


def test_watch_gives_up_at_its_deadline(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A secondary that stays behind keeps the watch until the deadline, and is shown with what it holds."""
    dns_lab.freeze_secondary()
    watched = swapped(dns_lab, dns_access, TARGET, propagation_deadline=timedelta(seconds=1))
    assert watched.ended == "deadline"
    assert watched.watchers[1].last.values == (SOURCE,)
    assert 1.0 <= watched.took < 3.0


def test_watch_does_not_wait_in_vain(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """When all nameservers agree on something else the watch ends long before its deadline."""
    watched = swapped(dns_lab, dns_access, "other.apps.kovra.test", propagation_deadline=timedelta(seconds=60))
    assert watched.ended == "settled-elsewhere"
    assert watched.took < 10.0


def test_low_ttl_is_remembered_from_look_to_look(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The first look at a low TTL stands until a look sees it high again."""
    question, access = TtlHistory(ZONE, SHOP, 1), dns_access()
    assert ttl_history(question, access).since is None
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, [SOURCE])
    first = ttl_history(question, access).since
    assert first is not None
    assert ttl_history(question, access).since == first
    dns_lab.set_record(ZONE, SHOP, "CNAME", 4, [SOURCE])
    assert ttl_history(question, access).since is None
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, [SOURCE])
    again = ttl_history(question, access).since
    assert again is not None
    assert again > first


def test_ledger_tells_what_an_action_did(dns_access: AccessMaker) -> None:
    """Applied and not applied are both answers; a moment that cannot be read is none."""
    at = "2026-05-01T12:00:00+02:00"
    records = LedgerOf({"lower-ttl[a]": ActionRecord("lower-ttl[a]", at, {"old_ttl": 4})})
    access = dns_access(records=records)
    applied = action_facts(ActionFacts("lower-ttl[a]"), access)
    assert applied == AppliedAction(applied=True, at=datetime(2026, 5, 1, 10, tzinfo=UTC), facts={"old_ttl": 4})
    assert action_facts(ActionFacts("lower-ttl[b]"), access) == AppliedAction(applied=False)
    records["lower-ttl[c]"] = ActionRecord("lower-ttl[c]", "yesterday", {})
    with pytest.raises(CouldNotLook, match="yesterday"):
        action_facts(ActionFacts("lower-ttl[c]"), access)
