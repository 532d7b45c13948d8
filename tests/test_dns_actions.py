"""DNS providers and the actions that use them, on the lab's zone."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest
from fix_dns import SHOP, TSIG_SECRET, AccessMaker

from kovra_checks.actions.base import Progress
from kovra_checks.actions.dns import LowerTtl, RestoreTtl, SwapRecord, actions
from kovra_checks.dns_providers import provider_for
from kovra_checks.errors import ActionFailed, ConfigError, UnsafePlan
from kovra_checks.lab.dns_world import DnsLab
from kovra_checks.protocols import RecordChange, RecordSet

ZONE = "example.test"
SOURCE, TARGET = "quiet-pine-1234.herokudns.test", "web.apps.kovra.test"
OLD = RecordSet(SHOP, "CNAME", 4, (SOURCE,))
NEW = RecordSet(SHOP, "CNAME", 1, (TARGET,))


def quiet(line: str) -> None:
    """Progress that nobody reads."""
    del line


def test_provider_tells_and_changes_records(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The RFC 2136 provider shows what stands there and replaces it in one update."""
    provider = dns_access().dns("zone")
    assert provider.current(ZONE, SHOP) == (OLD,)
    provider.change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))
    assert dns_lab.records(SHOP, "CNAME") == (1, (f"{TARGET}.",))


def test_cname_gives_way_to_addresses_and_back(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A change of type is one update: the old kind goes before the new one comes."""
    provider = dns_access().dns("zone")
    address = RecordSet(SHOP, "A", 1, ("192.0.2.7",))
    provider.change(ZONE, RecordChange(SHOP, (OLD,), (address,)))
    assert provider.current(ZONE, SHOP) == (address,)
    provider.change(ZONE, RecordChange(SHOP, (address,), (OLD,)))
    assert provider.current(ZONE, SHOP) == (OLD,)
    assert dns_lab.records(SHOP, "A") is None


@pytest.mark.parametrize(
    ("kind", "value"), [("CNAME", "somebody-else.test"), ("AAAA", "2001:db8::1"), ("HTTPS", "1 . alpn=h2")]
)
def test_update_fails_if_somebody_else_changed_the_name(
    dns_lab: DnsLab, dns_access: AccessMaker, kind: str, value: str
) -> None:
    """What the plan saw is a prerequisite: another value or another record at the name stops the update."""
    dns_lab.set_record(ZONE, SHOP, kind, 4, [value])
    held = dns_lab.records(SHOP, "CNAME")
    with pytest.raises(ActionFailed, match=r"(NXRRSET|YXRRSET): the name no longer holds what the plan saw"):
        dns_access().dns("zone").change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))
    assert dns_lab.records(SHOP, "CNAME") == held


@pytest.mark.parametrize(
    ("secret", "error", "message"),
    [
        (base64.b64encode(b"z" * 32).decode(), ActionFailed, "secret and algorithm"),
        ("not base64!", ConfigError, "is not base64"),
    ],
)
def test_bad_key_is_refused(
    dns_lab: DnsLab, dns_access: AccessMaker, tmp_path: Path, secret: str, error: type[Exception], message: str
) -> None:
    """A wrong key changes nothing, and neither key stands in the message."""
    access = dns_access()
    (tmp_path / "tsig.key").write_text(secret)
    with pytest.raises(error, match=message) as caught:
        access.dns("zone").change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))
    assert secret not in str(caught.value)
    assert TSIG_SECRET not in str(caught.value)
    assert dns_lab.records(SHOP, "CNAME") == (4, (f"{SOURCE}.",))


def test_secondary_takes_no_updates(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Updates belong to the primary; the refusal says what to allow."""
    access = dns_access(primary=dns_lab.secondary.server)
    with pytest.raises(ActionFailed, match=r"NOTAUTH|REFUSED|not signed"):
        access.dns("zone").change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))


def test_dead_server_leaves_the_state_told(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Without an answer nobody claims success."""
    access = dns_access()
    dns_lab.primary.stop()
    with pytest.raises(ActionFailed, match=r"no answer .*cannot be asked what became of it"):
        access.dns("zone").change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))


def test_unknown_provider_is_an_error(dns_access: AccessMaker) -> None:
    """The message lists those that are configured."""
    with pytest.raises(ConfigError, match="configured are: zone, hand"):
        provider_for(dns_access(), "nobody")


def test_manual_provider_says_what_to_do(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Nobody came: the failure holds the exact records to delete and to create."""
    provider = dns_access().dns("hand")
    assert provider.current(ZONE, SHOP) == (OLD,)
    with pytest.raises(ActionFailed) as caught:
        provider.change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))
    assert f"delete {SHOP} CNAME {SOURCE}; create {SHOP} CNAME {TARGET} with TTL 1" in str(caught.value)
    assert dns_lab.secondary.server in str(caught.value)


def test_manual_provider_waits_for_a_person(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The person's change, seen at every nameserver, ends the wait."""
    person = threading.Timer(0.3, dns_lab.set_record, (ZONE, SHOP, "CNAME", 1, [TARGET]))
    person.start()
    dns_access().dns("hand").change(ZONE, RecordChange(SHOP, (OLD,), (NEW,)))
    person.join()
    assert dns_lab.records(SHOP, "CNAME") == (1, (f"{TARGET}.",))


@pytest.mark.parametrize(
    ("stage", "names"),
    [("precutover", ["lower-ttl"]), ("cutover", ["swap-record"]), ("decommission", ["restore-ttl"]), ("pitfalls", [])],
)
def test_actions_by_stage(dns_access: AccessMaker, stage: str, names: list[str]) -> None:
    """Each stage has its action, and a domain without provider has none."""
    assert [action.name for action in actions(dns_access().migration, stage)] == names
    assert actions(dns_access(provider=None).migration, stage) == ()


def test_the_whole_way_and_back(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Lower, swap, undo, swap, restore: each verified at every nameserver, each plan empty once done."""
    access = dns_access()
    domain = access.migration.domains[0]
    lower, swap, restore = LowerTtl(domain), SwapRecord(domain), RestoreTtl(domain)
    plan = lower.plan(access)
    assert [(step.what, step.old, step.new) for step in plan.steps] == [(f"{SHOP} CNAME TTL", "4", "1")]
    facts = lower.apply(access, plan, quiet)
    assert facts["old_ttl"] == 4
    assert lower.verify(access, facts) == []
    assert lower.plan(access).steps == ()
    swapping = swap.plan(access)
    assert swapping.undo == {"records": [{"name": SHOP, "type": "CNAME", "ttl": 1, "values": [SOURCE]}]}
    swap.undo(access, swapping.undo, quiet)  # nothing had happened: nothing happens
    assert swap.verify(access, {}) != []
    assert swap.apply(access, swapping, quiet)["target"] == TARGET
    assert swap.verify(access, {}) == []
    assert swap.plan(access).steps == ()
    swap.undo(access, swapping.undo, quiet)
    assert dns_lab.records(SHOP, "CNAME") == (1, (f"{SOURCE}.",))
    swap.apply(access, swap.plan(access), quiet)
    restore.apply(access, restore.plan(access), quiet)
    assert restore.verify(access, {}) == []
    assert dns_lab.secondary.zones[ZONE].find(SHOP, "CNAME") == dns_lab.primary.zones[ZONE].find(SHOP, "CNAME")
    assert dns_lab.records(SHOP, "CNAME") == (4, (f"{TARGET}.",))


def test_swap_to_an_address(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """A target that is an address becomes an A record."""
    access = dns_access(target="192.0.2.7")
    swap = SwapRecord(access.migration.domains[0])
    swap.apply(access, swap.plan(access), quiet)
    assert dns_lab.records(SHOP, "A") == (4, ("192.0.2.7",))
    assert dns_lab.records(SHOP, "CNAME") is None


def test_ttl_that_was_low_already_is_adopted_without_an_old_one(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """Nobody here knows what the TTL was before somebody lowered it by hand."""
    dns_lab.set_record(ZONE, SHOP, "CNAME", 1, [SOURCE])
    access = dns_access()
    lower = LowerTtl(access.migration.domains[0])
    assert lower.apply(access, lower.plan(access), quiet)["old_ttl"] is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [("AAAA", "2001:db8::1"), ("HTTPS", "1 . alpn=h2"), ("CNAME", "elsewhere.test"), ("TXT", '"verification"')],
)
def test_swap_refuses_surprises(dns_lab: DnsLab, dns_access: AccessMaker, kind: str, value: str) -> None:
    """Anything at the name but the one expected record stops the plan, which changes nothing."""
    dns_lab.set_record(ZONE, SHOP, kind, 1, [value])
    before = dns_lab.save()
    with pytest.raises(UnsafePlan, match=f"plan the swap of {SHOP}: it holds"):
        SwapRecord(dns_access().migration.domains[0]).plan(dns_access())
    assert dns_lab.save() == before


def test_swap_refuses_a_cname_at_the_apex(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The apex of a zone cannot hold a CNAME."""
    dns_lab.set_record("kovra.test", "kovra.test", "A", 1, ["192.0.2.1"])
    access = dns_access(name="kovra.test", zone="kovra.test", source_target="192.0.2.1")
    with pytest.raises(UnsafePlan, match=r"apex.*ALIAS"):
        SwapRecord(access.migration.domains[0]).plan(access)


def test_action_without_a_record_is_refused(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """There is nothing to lower where there is no record."""
    dns_lab.set_record(ZONE, SHOP, "CNAME", 0, [])
    with pytest.raises(UnsafePlan, match="holds no record there"):
        LowerTtl(dns_access().migration.domains[0]).plan(dns_access())


def test_action_fails_while_a_secondary_stays_behind(dns_lab: DnsLab, dns_access: AccessMaker) -> None:
    """The change counts once every nameserver shows it; until then the failure names the one that does not."""
    dns_lab.freeze_secondary()
    access = dns_access()
    lower = LowerTtl(access.migration.domains[0])
    told: list[str] = []
    note: Progress = told.append
    with pytest.raises(ActionFailed, match=rf"at ns2\.{ZONE} \(CNAME 4 {SOURCE}\) == CNAME 1 {SOURCE}"):
        lower.apply(access, lower.plan(access), note)
    assert told[0].startswith("zone: delete")
