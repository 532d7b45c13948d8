"""Requests to real servers by address: what is sent, what is kept, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from fix_http import RudeServer
from fix_tls import GENERATED, SHOP, Sides

from kovra_checks.errors import CouldNotLook
from kovra_checks.lab.exchange import Request, Response, html, json_response
from kovra_checks.observations.http import (
    Exchange,
    Exchanges,
    Failures,
    HttpEverywhere,
    HttpRequest,
    HttpSample,
    Samples,
)
from kovra_checks.observations.routes import Place, at_target, before_swap, by_name
from kovra_checks.outcome import adapter, as_json
from kovra_checks.probes.exchange import without_cookies
from kovra_checks.probes.http import everywhere, lower_bound, percentile, request, sample

QUICK = {"probe_timeout": timedelta(seconds=0.4)}


def shop_at_target(sides: Sides) -> Place:
    """The shop's own name at the target, before the swap."""
    return at_target(sides.migration().domains[0])


def test_host_and_sni_name_the_domain_at_a_chosen_address(sides: Sides) -> None:
    """The request reaches the target while the name leads to the source, and says the name in Host and SNI."""
    sides.target.pages["/orders"] = json_response(201, {"id": 7})
    question = HttpRequest(shop_at_target(sides), "/orders?x=1", "POST", (("X-Test", "1"),), '{"a": 1}')
    seen = request(question, sides.access())
    assert (seen.status, seen.body, seen.error) == (201, '{"id": 7}\n', None)
    assert seen.url == f"https://{SHOP}:10443/orders?x=1"
    assert seen.address == sides.addresses.target_edges[0]
    (asked,) = sides.target.asked
    assert (asked.authority, asked.query, asked.body) == (f"{SHOP}:10443", "x=1", b'{"a": 1}')
    assert (asked.headers["user-agent"], asked.headers["x-test"]) == ("kovra-checks", "1")
    assert sides.source.asked == []


def test_phases_are_timed(sides: Sides) -> None:
    """Each phase has its time, and all of them together are the total."""
    sides.target.pages["/"] = html(200, "hello")
    timing = request(HttpRequest(shop_at_target(sides), "/"), sides.access()).timing
    assert min(timing.dns, timing.connect, timing.tls, timing.first_byte) > 0
    assert timing.total >= timing.dns + timing.connect + timing.tls + timing.first_byte - 0.1


def test_redirects_are_not_followed(sides: Sides) -> None:
    """A redirect is the answer."""
    sides.target.pages["/"] = Response(302, headers=(("Location", "/elsewhere"),))
    seen = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert (seen.status, seen.header("Location"), len(sides.target.asked)) == (302, "/elsewhere", 1)


def test_long_body_is_cut_and_digested(sides: Sides) -> None:
    """64 KiB are kept, all of it is counted and digested."""
    sides.target.pages["/"] = html(200, "x" * 100_000)
    seen = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert (len(seen.body), seen.body_bytes, len(seen.body_sha256)) == (65536, 100_000, 64)


def test_cookie_values_are_not_kept(sides: Sides) -> None:
    """A session never gets into an observation."""
    sides.target.pages["/"] = html(200, "", ("Set-Cookie", "session=canary-session; Path=/; Secure"))
    seen = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert seen.header("set-cookie") == "session=…; Path=/; Secure"
    assert "canary-session" not in str(as_json(seen))


def test_cookie_without_attributes() -> None:
    """The name stays, the value goes, other headers are left alone."""
    assert without_cookies("Set-Cookie", "a=b=c") == "a=…"
    assert without_cookies("Content-Type", "a=b") == "a=b"


def test_unknown_charset_is_read_as_utf8(sides: Sides) -> None:
    """A charset nobody knows does not lose the body."""
    sides.target.pages["/"] = Response(200, "grün".encode(), "text/plain; charset=klingon")
    assert request(HttpRequest(shop_at_target(sides), "/"), sides.access()).body == "grün"


def test_bad_certificate_is_an_answer(sides: Sides) -> None:
    """TLS is verified for the name; a certificate that users refuse is told, and nothing is sent."""
    sides.certify(sides.target_edge, issuer="unknown")
    seen = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert seen.status is None
    assert seen.error == "certificate: self-signed certificate in certificate chain"
    assert sides.target.asked == []


def test_wrong_name_is_an_answer(sides: Sides) -> None:
    """A certificate for another name is told as such."""
    sides.target_edge.remove_certificate(SHOP)
    seen = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert "Hostname mismatch" in str(seen.error)


def test_sni_may_differ_from_host(sides: Sides) -> None:
    """Where the domain's certificate is still to come, the generated subdomain's vouches for the target."""
    sides.target_edge.remove_certificate(SHOP)
    sides.target.pages["/"] = html(200, "hello")
    seen = request(HttpRequest(replace(shop_at_target(sides), sni=GENERATED), "/"), sides.access())
    assert seen.status == 200
    assert sides.target.asked[0].host == SHOP


@pytest.mark.parametrize(
    ("manner", "error"),
    [
        ("reset", "cut off: ConnectionResetError"),
        ("nonsense", "not HTTP: BadStatusLine 220 mail.example.test ESMTP ready"),
        ("half", "cut off: IncompleteRead"),
        ("silent", "no answer: connected, then nothing within 0.4 s"),
        ("drip", "no answer: connected"),
    ],
)
def test_rude_servers_are_answers(sides: Sides, rude: Callable[[str], RudeServer], manner: str, error: str) -> None:
    """What a server did to us is seen, its kind first."""
    place = Place("127.0.0.1", rude(manner).port, scheme="http")
    seen = request(HttpRequest(place, "/"), sides.access(policy=QUICK))
    assert seen.error is not None
    assert seen.error.startswith(error)


def test_refused_is_an_answer(sides: Sides) -> None:
    """A closed port is seen to be closed."""
    seen = request(HttpRequest(Place("127.0.0.1", 1), "/"), sides.access())
    assert seen.error == "refused: nothing listens on the port"


def test_unreachable_could_not_look(sides: Sides) -> None:
    """Without a way there, nothing was seen."""
    with pytest.raises(CouldNotLook, match=r"connect to 127\.255\.255\.255 port 443"):
        request(HttpRequest(Place("127.255.255.255"), "/"), sides.access())


def test_name_without_address_is_an_answer(sides: Sides) -> None:
    """A name that resolvers know nothing of is seen to lead nowhere."""
    seen = request(HttpRequest(Place("nothing.example.test"), "/"), sides.access())
    assert seen.error == "no address: nothing.example.test has none in DNS"


def test_everywhere_asks_every_address(sides: Sides) -> None:
    """One address that fails does not hide behind the other."""
    sides.target.pages["/"] = html(200, "hello")
    second = sides.addresses.target_edges[1]
    sides.target_edge.route(SHOP, None, second)
    seen = everywhere(HttpEverywhere(shop_at_target(sides), "/"), sides.access())
    assert {each.address: each.status for each in seen.exchanges} == {sides.addresses.target_edges[0]: 200, second: 404}
    assert adapter(Exchanges).validate_python(as_json(seen)) == seen


def test_everywhere_without_address(sides: Sides) -> None:
    """No address, no exchange."""
    assert everywhere(HttpEverywhere(Place("nothing.example.test"), "/"), sides.access()) == Exchanges(())


def test_sample_counts_failures_by_kind(sides: Sides) -> None:
    """Both places get all their requests, and failures are counted by kind."""
    turns = iter(range(100))

    def sometimes(_request: Request) -> Response:
        return json_response(500 if next(turns) % 3 == 0 else 200, {})

    sides.target.pages["/"] = sometimes
    sides.source.pages["/"] = html(200, "hello")
    refused = Place("127.0.0.1", 1)
    domain = sides.migration().domains[0]
    question = HttpSample((shop_at_target(sides), by_name(domain), refused), "/", 12)
    target, source, nobody = sample(question, sides.access()).samples
    assert (target.count, target.failures, target.error_rate) == (12, (Failures("status 500", 4),), 4 / 12)
    assert (source.count, source.failures, source.failed) == (12, (), 0)
    assert (nobody.failures, nobody.p50, nobody.p95) == ((Failures("refused", 12),), None, None)
    assert target.p50 is not None
    assert target.p99 is not None
    assert 0 < target.p50 <= target.p99
    assert target.started <= target.ended
    used = {asked.headers["connection"] for asked in sides.target.asked}
    assert used == {"close"}


def test_sample_of_a_name_without_address(sides: Sides) -> None:
    """A place that cannot be found cannot be sampled."""
    with pytest.raises(CouldNotLook, match=r"nothing\.example\.test has none in DNS"):
        sample(HttpSample((Place("nothing.example.test"),), "/", 5), sides.access())


def test_questions_and_answers_survive_json(sides: Sides) -> None:
    """Evidence can be replayed: questions keep their key, answers come back equal."""
    sides.target.pages["/"] = html(200, "hello")
    question = HttpSample((shop_at_target(sides),), "/", 5)
    seen = sample(question, sides.access())
    assert adapter(Samples).validate_python(as_json(seen)) == seen
    assert adapter(HttpSample).validate_python(question.fields()).key() == question.key()
    exchange = request(HttpRequest(shop_at_target(sides), "/"), sides.access())
    assert adapter(Exchange).validate_python(as_json(exchange)) == exchange


def test_generated_host_is_asked_of_nobody_when_configured(sides: Sides) -> None:
    """The configured subdomain is used as it stands, at the domain's port."""
    migration = sides.migration()
    assert before_swap(migration, migration.apps[0]) == Place(GENERATED, 10443)


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [((), 50, None), ((1.0,), 99, 1.0), ((1.0, 2.0, 3.0, 4.0), 50, 2.0), (tuple(map(float, range(1, 101))), 95, 95.0)],
)
def test_percentile(values: tuple[float, ...], share: float, found: float | None) -> None:
    """Nearest rank: always one of the values."""
    assert percentile(values, share) == found


@pytest.mark.parametrize(
    ("count", "share", "found"),
    [(0, 50, None), (1, 95, 0.0), (5, 50, 0.0), (20, 50, 4.0), (40, 95, 33.0), (60, 95, 52.0), (10_000, 95, 9448.0)],
)
def test_lower_bound(count: int, share: float, found: float | None) -> None:
    """Of n values 0, 1, 2, … the percentile is surely at least this one; more values say more."""
    assert lower_bound([float(value) for value in range(count)], share) == found
