"""Handshakes with real servers: what each address shows, and why it is not trusted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fix_http import RudeServer
from fix_tls import GENERATED, SHOP, Sides

from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.tls import EveryHandshake, Handshakes
from kovra_checks.outcome import adapter, as_json
from kovra_checks.probes.tls import every_handshake, name_fits

NOW = datetime.now(UTC)
PAST = NOW - timedelta(days=1)


def shown(sides: Sides, target: str = GENERATED, port: int = 0) -> Handshakes:
    """What every address of *target* shows for the shop."""
    question = EveryHandshake(SHOP, target, port or sides.addresses.https_port)
    return every_handshake(question, sides.access())


def test_good_certificate(sides: Sides) -> None:
    """Every address is asked, and a good certificate is described and trusted."""
    seen = shown(sides).handshakes
    assert [each.address for each in seen] == list(sides.addresses.target_edges)
    for each in seen:
        assert (each.error, each.trusted, each.distrust, each.name_matches) == (None, True, None, True)
        assert each.protocol == "TLSv1.3"
        assert each.cipher is not None
        leaf = each.chain[0]
        assert (leaf.subject, leaf.names, leaf.key, leaf.signature_hash) == (f"CN={SHOP}", (SHOP,), "EC 256", "sha256")
        assert leaf.issuer == "CN=kovra-checks lab root"
        assert leaf.not_before < NOW < leaf.not_after
        assert len(leaf.sha256) == 64
        assert each.chain[1].subject == "CN=kovra-checks lab root"


def test_expired_certificate_is_still_described(sides: Sides) -> None:
    """Time is for the rule to judge: an expired certificate of ours is trusted and its end is told."""
    sides.certify(sides.target_edge, not_before=PAST - timedelta(days=9), not_after=PAST)
    for each in shown(sides).handshakes:
        assert each.trusted
        assert each.chain[0].not_after < NOW


@pytest.mark.parametrize(
    ("issuer", "why"),
    [("self-signed", "self-signed certificate"), ("unknown", "self-signed certificate in certificate chain")],
)
def test_untrusted_certificate_is_still_described(sides: Sides, issuer: str, why: str) -> None:
    """A certificate nobody trusts is described, with OpenSSL's reason."""
    sides.certify(sides.target_edge, issuer=issuer)
    for each in shown(sides).handshakes:
        assert not each.trusted
        assert each.distrust == why
        assert each.name_matches
        assert each.chain[0].names == (SHOP,)


def test_wrong_name(sides: Sides) -> None:
    """The default certificate is trusted and yet not for the name."""
    sides.target_edge.remove_certificate(SHOP)
    for each in shown(sides).handshakes:
        assert each.trusted
        assert not each.name_matches
        assert each.chain[0].names == ("default.test",)


def test_addresses_are_told_apart(sides: Sides) -> None:
    """An old certificate at one address does not hide behind the other."""
    second = sides.addresses.target_edges[1]
    sides.certify(sides.target_edge, not_before=PAST - timedelta(days=9), not_after=PAST, only=second)
    ends = {each.address: each.chain[0].not_after < NOW for each in shown(sides).handshakes}
    assert ends == {sides.addresses.target_edges[0]: False, second: True}


def test_name_is_resolved_when_no_target_is_given(sides: Sides) -> None:
    """Without a target the server name itself is looked up, as users do."""
    assert [each.address for each in shown(sides, "").handshakes] == [sides.addresses.source_edge]
    sides.swap()
    assert [each.address for each in shown(sides, "").handshakes] == list(sides.addresses.target_edges)


def test_refused_is_an_answer(sides: Sides) -> None:
    """A port that is closed was seen to be closed."""
    (seen,) = shown(sides, "127.0.0.1", port=1).handshakes
    assert seen.connected
    assert seen.error == "connection refused"


@pytest.mark.parametrize("manner", ["reset", "nonsense", "half"])
def test_no_tls_is_an_answer(sides: Sides, rude: Callable[[str], RudeServer], manner: str) -> None:
    """A server that does not speak TLS is told with what went wrong."""
    (seen,) = shown(sides, "127.0.0.1", port=rude(manner).port).handshakes
    assert seen.connected
    assert seen.error
    assert seen.chain == ()


def test_silence_is_an_answer(sides: Sides, rude: Callable[[str], RudeServer]) -> None:
    """A server that accepts and then says nothing was reached."""
    access = sides.access(policy={"probe_timeout": timedelta(seconds=0.3)})
    seen = every_handshake(EveryHandshake(SHOP, "127.0.0.1", rude("silent").port), access)
    assert seen.handshakes[0].connected
    assert "no handshake within 0.3 s" in str(seen.handshakes[0].error)


def test_unreachable_could_not_look(sides: Sides) -> None:
    """No address can be reached: that is no observation."""
    with pytest.raises(CouldNotLook, match=r"127\.255\.255\.255: network is unreachable"):
        shown(sides, "127.255.255.255")


def test_target_without_address(sides: Sides) -> None:
    """A target that has no address is seen to have none."""
    assert shown(sides, "nothing.kovra.test") == Handshakes(())


def test_resolvers_that_do_not_answer(sides: Sides) -> None:
    """Without any resolver nothing is known about the target."""
    access = sides.access(resolvers=["127.0.0.1:1"], policy={"probe_timeout": timedelta(seconds=0.3)})
    with pytest.raises(CouldNotLook, match=r"look up web\.apps\.kovra\.test: ask 127\.0\.0\.1:1"):
        every_handshake(EveryHandshake(SHOP, GENERATED), access)


def test_one_resolver_is_enough(sides: Sides) -> None:
    """A dead resolver beside a living one does not stop us."""
    resolver = sides.addresses.server(sides.addresses.resolvers[0])
    access = sides.access(resolvers=["127.0.0.1:1", resolver], policy={"probe_timeout": timedelta(seconds=1)})
    seen = every_handshake(EveryHandshake(SHOP, GENERATED, sides.addresses.https_port), access)
    assert len(seen.handshakes) == 2


def test_answer_survives_json(sides: Sides) -> None:
    """What goes into evidence comes back equal."""
    seen = shown(sides)
    assert adapter(Handshakes).validate_python(as_json(seen)) == seen


@pytest.mark.parametrize(
    ("name", "names", "fits"),
    [
        ("shop.example.com", ("shop.example.com",), True),
        ("SHOP.example.com.", ("shop.example.com",), True),
        ("shop.example.com", ("*.example.com",), True),
        ("a.shop.example.com", ("*.example.com",), False),
        ("example.com", ("*.example.com",), False),
        ("com", ("*.",), False),
        ("shop.example.com", ("www.example.com", "example.com"), False),
        ("192.0.2.1", ("192.0.2.1",), True),
        ("192.0.2.1", ("*.0.2.1",), False),
        ("2001:DB8::1", ("2001:db8::1",), True),
    ],
)
def test_name_fits(name: str, names: tuple[str, ...], fits: bool) -> None:  # noqa: FBT001 - a table
    """Names are compared label by label; a wildcard is one label, and never part of an address."""
    assert name_fits(name, names) is fits
