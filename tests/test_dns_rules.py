"""DNS rules as tables: what passes, and what each difference is called."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import (
    CaaSeen,
    LowSince,
    RecordsSeen,
    Resolutions,
    ResolverView,
    Sample,
    ServerView,
    Watched,
    Watcher,
    ZoneView,
    record_type,
    target_values,
)
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.outcome import Finding
from kovra_checks.rules import caa, propagation, records, ttl

ZONE, SHOP = "example.test", "shop.example.test"
SOURCE, TARGET = "quiet-pine-1234.herokudns.test", "web.apps.kovra.test"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CNAME = RecordsSeen(SHOP, "CNAME", 60, (SOURCE,))
CAA_LE = RecordsSeen(ZONE, "CAA", 60, ('0 issue "letsencrypt.org"',))


def held(kind: str, *values: str, name: str = SHOP, ttl: int = 60) -> RecordsSeen:
    """A record set."""
    return RecordsSeen(name, kind, ttl, values)


def server(number: int, *sets: RecordsSeen, serial: int = 7, challenge: RecordsSeen | None = None) -> ServerView:
    """A healthy nameserver that holds *sets*."""
    return ServerView(
        f"ns{number}.{ZONE}", f"192.0.2.{number}:53", serial, records=sets, challenge=challenge, caa=(CAA_LE,)
    )


def zone(*sets: RecordsSeen, name: str = SHOP) -> ZoneView:
    """Two nameservers that agree."""
    return ZoneView(ZONE, name, (server(1, *sets), server(2, *sets)))


def resolved(name: str, *addresses: str, chain: tuple[str, ...] = (), ttl: int | None = 60) -> Resolutions:
    """Two resolvers that agree."""
    return Resolutions(
        name, tuple(ResolverView(f"198.51.100.{each}:53", "NOERROR", chain, addresses, ttl) for each in (1, 2))
    )


def messages(findings: list[Finding]) -> list[str]:
    """What a person reads."""
    return [finding.message for finding in findings]


UNSEEN = replace(zone(CNAME), servers=(server(1, CNAME), ServerView("ns2", "192.0.2.2:53", error="no answer")))
LAME = replace(zone(CNAME), servers=(server(1, CNAME), ServerView("ns2", "192.0.2.2:53", lame="REFUSED")))


@pytest.mark.parametrize(
    ("target", "kind", "values"),
    [
        ("Web.Apps.Kovra.Test.", "CNAME", ("web.apps.kovra.test",)),
        ("192.0.2.7", "A", ("192.0.2.7",)),
        ("2001:DB8::7", "AAAA", ("2001:db8::7",)),
    ],
)
def test_target_decides_the_record(target: str, kind: str, values: tuple[str, ...]) -> None:
    """A host name asks for a CNAME, an address for A or AAAA, spelt in one way."""
    assert (record_type(target), target_values(target)) == (kind, values)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (zone(CNAME), []),
        (zone(held("CNAME", SOURCE, ttl=300), held("MX", "10 mail", ttl=9999)), []),
        (
            ZoneView(ZONE, SHOP, (server(1, CNAME), server(2, replace(CNAME, ttl=3600)))),
            [f"{SHOP} CNAME TTL at ns2.{ZONE} (3600) <= 300"],
        ),
        (zone(), [f"record sets at {SHOP} (none) >= 1"]),
    ],
)
def test_ttl_is_low(view: ZoneView, expected: list[str]) -> None:
    """Every nameserver counts, and only records by which users find the app."""
    assert messages(ttl.is_low(view, ceiling=300)) == expected


@pytest.mark.parametrize("view", [UNSEEN, LAME])
def test_ttl_at_an_unseen_server_is_unknown(view: ZoneView) -> None:
    """A server that does not tell leaves the check broken, neither green nor red."""
    with pytest.raises(CouldNotLook, match="ns2"):
        ttl.is_low(view, ceiling=300)
    with pytest.raises(CouldNotLook, match="ns2"):
        ttl.is_restored(view, floor=60)


def test_ttl_is_restored() -> None:
    """At least the normal TTL, everywhere."""
    assert ttl.is_restored(zone(held("CNAME", TARGET, ttl=7200)), floor=3600) == []
    assert messages(ttl.is_restored(zone(CNAME), floor=3600))[0] == f"{SHOP} CNAME TTL at ns1.{ZONE} (60) >= 3600"


def at(seconds: int) -> datetime:
    """So many seconds before now."""
    return NOW - timedelta(seconds=seconds)


APPLIED = AppliedAction(applied=True, at=at(1000), facts={"old_ttl": 3600, "lowered_at": at(2000).isoformat()})
ADOPTED = AppliedAction(applied=True, at=at(1000), facts={"old_ttl": None, "lowered_at": at(1000).isoformat()})
BY_HAND = AppliedAction(applied=False)


@pytest.mark.parametrize(
    ("applied", "since", "until"),
    [
        (APPLIED, at(10), at(2000 - 3600)),
        (replace(APPLIED, facts={"old_ttl": 300}), None, None),
        (ADOPTED, at(1), at(1000 - 3600)),
        (ADOPTED, at(3500), at(3500 - 3600)),
        (ADOPTED, at(3600), None),
        (BY_HAND, at(0), at(-3600)),
        (BY_HAND, at(3599), at(-1)),
        (BY_HAND, at(3600), None),
    ],
)
def test_old_ttl_must_have_run_out(applied: AppliedAction, since: datetime | None, until: datetime | None) -> None:
    """The ledger's old TTL counts from its moment; without it the normal TTL counts from the first look."""
    lowered = ttl.lowering(applied, LowSince(since), assumed=3600)
    findings = ttl.has_aged(zone(CNAME), resolved(SHOP), lowered, seen_at=NOW, ceiling=300)
    assert [finding.until for finding in findings] == ([until] if until is not None else [])
    for finding in findings:
        assert finding.until is not None
        assert f"{finding.until:%H:%M:%S} UTC" in finding.remedy


def test_age_is_told_in_one_line() -> None:
    """Age, witness and what is wanted stand in the message."""
    lowered = ttl.lowering(APPLIED, LowSince(None), assumed=3600)
    (finding,) = ttl.has_aged(zone(CNAME), resolved(SHOP), lowered, seen_at=NOW, ceiling=300)
    assert finding.message == f"{SHOP}: time since the TTL was lowered (33m 20s; lowered from 3600) >= 3600s"


def test_a_ttl_that_is_high_does_not_age() -> None:
    """While the TTL is high no time will help: the finding has no moment."""
    lowered = ttl.lowering(APPLIED, LowSince(None), assumed=3600)
    (finding,) = ttl.has_aged(zone(replace(CNAME, ttl=3600)), resolved(SHOP), lowered, seen_at=NOW, ceiling=300)
    assert "old copies are still being made" in finding.message
    assert finding.until is None


def test_a_resolver_with_an_old_copy_is_told() -> None:
    """A copy with more time left than the low TTL lives exactly so long."""
    lowered = ttl.lowering(replace(APPLIED, facts={"old_ttl": 60}), LowSince(None), assumed=3600)
    findings = ttl.has_aged(zone(CNAME), resolved(SHOP, ttl=900), lowered, seen_at=NOW, ceiling=300)
    assert findings[0].message == f"{SHOP} TTL left at resolver 198.51.100.1:53 (900) <= 300"
    assert findings[0].until == NOW + timedelta(seconds=900)


def test_unknown_moment_never_passes() -> None:
    """Without any witness of the lowering the check fails."""
    lowered = ttl.lowering(BY_HAND, LowSince(None), assumed=3600)
    assert "(unknown)" in ttl.has_aged(zone(CNAME), resolved(SHOP), lowered, seen_at=NOW, ceiling=300)[0].message


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (zone(CNAME), []),
        (LAME, [f"ns2 (192.0.2.2:53) answer for {ZONE} (REFUSED) is authoritative"]),
        (replace(zone(CNAME), nameless=("gone.test",)), ["addresses of nameserver gone.test (none) >= 1"]),
        (
            replace(zone(CNAME), servers=(server(1, CNAME), server(2, CNAME, serial=6))),
            [f"SOA serials of {ZONE} (ns1.{ZONE}: 7, ns2.{ZONE}: 6) are one and the same"],
        ),
        (
            replace(zone(CNAME), servers=(server(1, CNAME), server(2))),
            [f"records at {SHOP} (ns1.{ZONE}: CNAME 60 {SOURCE}; ns2.{ZONE}: none) are the same at every nameserver"],
        ),
    ],
)
def test_servers_agree(view: ZoneView, expected: list[str]) -> None:
    """Lame servers, other serials and other records are three findings."""
    assert messages(records.servers_agree(view)) == expected


@pytest.mark.parametrize(
    ("sets", "target", "source_target", "expected"),
    [
        ((CNAME,), TARGET, SOURCE, []),
        ((held("CNAME", TARGET),), TARGET, SOURCE, []),
        ((held("A", "192.0.2.1", "192.0.2.2"),), TARGET, "192.0.2.2", []),
        ((CNAME,), "192.0.2.7", SOURCE, []),
        ((), TARGET, SOURCE, [f"{SHOP} holds (none) one of: CNAME {SOURCE}, CNAME {TARGET}"]),
        (
            (held("CNAME", "third.test"),),
            TARGET,
            SOURCE,
            [f"{SHOP} holds (CNAME 60 third.test) one of: CNAME {SOURCE}, CNAME {TARGET}"],
        ),
        (
            (held("A", "192.0.2.1"), held("AAAA", "2001:db8::1"), held("HTTPS", "1 .")),
            "192.0.2.7",
            "192.0.2.1",
            [
                f"{SHOP} AAAA beside the record to be swapped (present) is absent",
                f"{SHOP} HTTPS beside the record to be swapped (present) is absent",
            ],
        ),
        (
            (held("A", "192.0.2.1"), held("TXT", '"x"')),
            TARGET,
            "192.0.2.1",
            [f"{SHOP} TXT record (present) is absent: nothing may stand beside a CNAME (RFC 1034, 3.6.2)"],
        ),
    ],
)
def test_swap_fits(sets: tuple[RecordsSeen, ...], target: str, source_target: str, expected: list[str]) -> None:
    """The name holds the record of the source or already the target's, and nothing that would stay or clash."""
    assert messages(records.swap_fits(zone(*sets), target=target, source_target=source_target)) == expected


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a.verify.renderdns.com", True),
        ("b.authorize.railwaydns.net", True),
        ("x.herokudns.test", True),
        (f"c.{SOURCE}", True),
        ("d.acme.kovra.test", False),
    ],
)
def test_challenges_must_not_be_delegated_to_the_old_platform(value: str, found: bool) -> None:  # noqa: FBT001
    """A leftover `_acme-challenge` CNAME sends the new side's challenges to the old platform."""
    challenge = held("CNAME", value, name=f"_acme-challenge.{SHOP}")
    view = ZoneView(ZONE, SHOP, (server(1, CNAME, challenge=challenge),))
    findings = records.swap_fits(view, target=TARGET, source_target=SOURCE, old_suffixes=(".herokudns.test",))
    assert [value in finding.message for finding in findings] == ([True] if found else [])


@pytest.mark.parametrize(
    ("name", "target", "provider", "today", "fine"),
    [
        (SHOP, TARGET, "zone", "192.0.2.1", True),
        (ZONE, "192.0.2.7", "zone", "192.0.2.1", True),
        (ZONE, TARGET, "zone", "192.0.2.1", False),
        (ZONE, TARGET, None, "192.0.2.1", True),
        (ZONE, TARGET, None, "192.0.2.99", False),
    ],
)
def test_apex(name: str, target: str, provider: str | None, today: str, fine: bool) -> None:  # noqa: FBT001
    """An apex can follow a host name only if its provider is seen to flatten names today."""
    view = zone(held("A", today, name=name), name=name)
    findings = records.apex_can_point(view, resolved(SOURCE, "192.0.2.1"), target=target, provider=provider)
    assert (findings == []) == fine
    assert all("ALIAS" in finding.remedy for finding in findings)


def test_flattened_apex_is_no_surprise() -> None:
    """Addresses at an apex whose source is a host name are that provider's way to say so."""
    view = zone(held("A", "192.0.2.1", name=ZONE), held("MX", "10 mail", name=ZONE), name=ZONE)
    assert records.swap_fits(view, target=TARGET, source_target=SOURCE) == []


def test_readiness_needs_every_server_seen() -> None:
    """All parts are told together; a server unseen leaves a clean result open."""
    assert records.zone_is_ready(zone(CNAME), ()) == []
    assert messages(records.zone_is_ready(LAME, [[Finding("another")]]))[-1] == "another"
    with pytest.raises(CouldNotLook):
        records.zone_is_ready(UNSEEN, ())


CAA_NONE = CaaSeen(())


@pytest.mark.parametrize(
    ("in_zone", "refused"),
    [
        ((), None),
        (('0 issue "letsencrypt.org"',), None),
        (('0 issue "LetsEncrypt.org; validationmethods=http-01"',), None),
        (('0 issue "pki.goog"', '0 issue "letsencrypt.org"'), None),
        (('0 iodef "mailto:a@example.test"',), None),
        (('0 issue "pki.goog"',), 'issue "pki.goog"'),
        (('0 issue ";"',), 'issue ";"'),
        (('128 tbs "unknown"', '0 issue "letsencrypt.org"'), "critical property tbs"),
    ],
)
def test_caa_in_the_zone(in_zone: tuple[str, ...], refused: str | None) -> None:
    """No set, or one that names the issuer, permits; unknown critical properties forbid."""
    sets = (held("CAA", *in_zone, name=ZONE),) if in_zone else ()
    view = ZoneView(ZONE, SHOP, (replace(server(1, CNAME), caa=sets),))
    findings = messages(caa.allows_issuer(view, CAA_NONE, CAA_NONE, issuers=("letsencrypt.org",)))
    if refused is None:
        assert findings == []
    else:
        assert findings[0].startswith(f"CAA of {ZONE} seen at ns1.{ZONE} ({refused}")
        assert findings[0].endswith("permits letsencrypt.org")


def test_caa_of_the_target_decides_first() -> None:
    """A CNAME's target speaks before the zone, and names above the zone speak last."""
    other = CaaSeen((held("CAA", '0 issue "pki.goog"', name=TARGET),))
    issuers = ("letsencrypt.org",)
    assert "CAA of web.apps.kovra.test" in caa.allows_issuer(zone(CNAME), other, CAA_NONE, issuers=issuers)[0].message
    assert caa.allows_issuer(zone(CNAME), CAA_NONE, other, issuers=issuers) == []
    bare = ZoneView(ZONE, SHOP, (replace(server(1, CNAME), caa=()),))
    assert len(caa.allows_issuer(bare, CAA_NONE, other, issuers=issuers)) == 1
    assert caa.allows_issuer(UNSEEN, CAA_NONE, CAA_NONE, issuers=issuers) == []


def test_wildcards_have_a_property_of_their_own() -> None:
    """For a wildcard name `issuewild` replaces `issue`, if there is any."""
    sets = held("CAA", '0 issue "letsencrypt.org"', '0 issuewild "pki.goog"', name=ZONE)
    plain = ZoneView(ZONE, SHOP, (replace(server(1), caa=(sets,)),))
    wild = replace(plain, name=f"*.{ZONE}")
    assert caa.allows_issuer(plain, CAA_NONE, CAA_NONE, issuers=("letsencrypt.org",)) == []
    assert len(caa.allows_issuer(wild, CAA_NONE, CAA_NONE, issuers=("letsencrypt.org",))) == 1


def test_climb_goes_up_to_the_last_label() -> None:
    """The root is not asked."""
    assert caa.parents("a.example.test") == ("example.test", "test")
    assert caa.parents("test") == ()


def test_target_must_resolve_and_not_to_the_source() -> None:
    """No address, or one of the source's, is a wrong target; a resolver unseen leaves it open."""
    source = resolved(SOURCE, "192.0.2.1")
    assert records.resolves(resolved(TARGET, "192.0.2.7"), source) == []
    missing = Resolutions(TARGET, (ResolverView("198.51.100.1:53", "NXDOMAIN"),))
    assert messages(records.resolves(missing, source)) == [
        f"{TARGET} addresses at resolver 198.51.100.1:53 (none, NXDOMAIN) >= 1"
    ]
    same = records.resolves(resolved(TARGET, "192.0.2.1"), source)
    assert messages(same)[0].endswith("(192.0.2.1) is not an address of the source")
    with pytest.raises(CouldNotLook):
        records.resolves(Resolutions(TARGET, (ResolverView("198.51.100.1:53", error="no answer"),)), None)


def sample(value: str | None, error: str | None = None) -> Sample:
    """One look."""
    return Sample(NOW, () if value is None else (value,), 1, error)


def watched(*last: Sample, ended: str = "deadline") -> Watched:
    """A watch of one nameserver and resolvers, each looked at twice."""
    kinds = ("authoritative", "resolver", "resolver")
    watchers = tuple(
        Watcher(f"192.0.2.{number}:53", kind, (sample(SOURCE), each))  # type: ignore[arg-type]
        for number, (kind, each) in enumerate(zip(kinds, last, strict=False))
    )
    return Watched(SHOP, (TARGET,), watchers, ended, 61.0)  # type: ignore[arg-type]


def test_change_has_arrived() -> None:
    """The last look at each place decides; what could not be seen at the end is not taken for arrived."""
    new, old = sample(TARGET), sample(SOURCE)
    assert propagation.has_arrived(watched(new, new, new)) == []
    assert messages(propagation.has_arrived(watched(new, old, sample(None)))) == [
        f"{SHOP} at resolver 192.0.2.1:53 ({SOURCE}) == {TARGET}, 2 looks in 1m 1s",
        f"{SHOP} at resolver 192.0.2.2:53 (no record) == {TARGET}, 2 looks in 1m 1s",
    ]
    settled = propagation.has_arrived(watched(sample("third.test"), ended="settled-elsewhere"))
    assert "neither the old nor the new" in settled[0].remedy
    with pytest.raises(CouldNotLook, match="SERVFAIL"):
        propagation.has_arrived(watched(new, sample(None, "SERVFAIL"), new))
    assert len(propagation.has_arrived(watched(old, sample(None, "SERVFAIL"), new))) == 1


@pytest.mark.parametrize(
    ("record", "users", "expected"),
    [
        (held("CNAME", TARGET), resolved(SHOP, "192.0.2.7", chain=(TARGET,)), []),
        (held("CNAME", SOURCE), resolved(SHOP, "192.0.2.7"), [f"{SHOP} CNAME at ns1.{ZONE} ({SOURCE})"] * 1),
        (held("A", "192.0.2.1"), resolved(SHOP, "192.0.2.7"), [f"{SHOP} A at ns1.{ZONE} (192.0.2.1)"]),
        (
            held("HTTPS", f"1 {SOURCE}. alpn=h2"),
            resolved(SHOP, "192.0.2.7"),
            [f"{SHOP} HTTPS at ns1.{ZONE} (1 {SOURCE}."],
        ),
        (held("HTTPS", '1 . ipv4hint="192.0.2.1"'), resolved(SHOP, "192.0.2.7"), [f"{SHOP} HTTPS at ns1.{ZONE}"]),
        (held("CNAME", TARGET), resolved(SHOP, "192.0.2.1"), [f"{SHOP} at resolver 198.51.100.1:53 (192.0.2.1)"]),
        (held("CNAME", TARGET), resolved(SHOP, chain=(SOURCE,)), [f"{SHOP} at resolver 198.51.100.1:53 ({SOURCE})"]),
    ],
)
def test_nothing_points_at_the_source(record: RecordsSeen, users: Resolutions, expected: list[str]) -> None:
    """By name or by address, in the zone or in a cache."""
    source = resolved(SOURCE, "192.0.2.1")
    findings = messages(records.nothing_points_at(zone(record), users, source, source_target=SOURCE))
    assert bool(findings) == bool(expected)
    for wanted, found in zip(expected, findings, strict=False):
        assert found.startswith(wanted)


def test_source_that_is_gone_is_no_obstacle() -> None:
    """A source name that no longer resolves is compared by name; one that could not be asked leaves it open."""
    record, users = held("CNAME", TARGET), resolved(SHOP, "192.0.2.7")
    assert records.nothing_points_at(zone(record), users, resolved(SOURCE), source_target=SOURCE) == []
    unknown = Resolutions(SOURCE, (ResolverView("198.51.100.1:53", error="no answer"),))
    with pytest.raises(CouldNotLook):
        records.nothing_points_at(zone(record), users, unknown, source_target=SOURCE)
