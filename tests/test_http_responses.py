"""The rules over responses, as tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kovra_checks.migration import App, SmokeTest
from kovra_checks.observations.http import Exchange, Exchanges, Timing
from kovra_checks.rules.bodies import differences
from kovra_checks.rules.responses import (
    answers,
    answers_everywhere,
    database_unproven,
    matches,
    same_everywhere,
    serving,
)

HOME = SmokeTest(name="home", path="/", contains=("Pine",))
GOOD = Exchange(
    "https://shop.example.com/",
    "192.0.2.1",
    200,
    (("content-type", "text/html"),),
    "<h1>Pine</h1>",
    timing=Timing(total=90),
)


def test_expected_answer_passes() -> None:
    """Status, text and time as agreed: nothing to find."""
    assert answers(GOOD, HOME) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": 503}, "GET https://shop.example.com/ at 192.0.2.1 status (503) == 200"),
        (
            {"body": "<h1>Oak\n</h1>"},
            "GET https://shop.example.com/ at 192.0.2.1 body ('<h1>Oak </h1>') contains 'Pine'",
        ),
        ({"timing": Timing(total=5001)}, "GET https://shop.example.com/ at 192.0.2.1 took (5001 ms) <= 5000 ms"),
        (
            {"status": None, "error": "refused: nothing listens on the port"},
            "GET https://shop.example.com/ at 192.0.2.1 (refused: nothing listens on the port) == status 200",
        ),
    ],
)
def test_unexpected_answers_are_told(change: dict[str, Any], message: str) -> None:
    """Each difference is one message with what was expected and what was seen."""
    assert [str(finding) for finding in answers(replace(GOOD, **change), HOME)] == [message]


def test_all_differences_are_told() -> None:
    """A wrong status does not hide a wrong body."""
    assert len(answers(replace(GOOD, status=500, body=""), HOME)) == 2


def test_every_address_must_answer() -> None:
    """One good address does not make up for a bad one, and none is not enough."""
    bad = replace(GOOD, address="192.0.2.2", status=404)
    (finding,) = answers_everywhere(Exchanges((GOOD, bad)), HOME)
    assert "192.0.2.2 status (404) == 200" in str(finding)
    assert [str(each) for each in answers_everywhere(Exchanges(()), HOME)] == ["addresses for / (0) >= 1"]
    assert len(same_everywhere([(Exchanges((GOOD,)), HOME), (Exchanges((bad,)), HOME)])) == 1


def test_serving_is_shown_by_plain_smoke_tests() -> None:
    """Smoke tests that change nothing and need no headers show that an app serves; else its health path does."""
    post = SmokeTest(name="order", path="/orders", method="POST")
    private = SmokeTest(name="private", path="/me", headers={"Cookie": "x"})
    assert serving(App(name="web", smoke=(HOME, post, private))) == (HOME,)
    (health,) = serving(App(name="web", health_path="/up", smoke=(post,)))
    assert (health.path, health.status) == ("/up", 200)


def test_database_without_a_path_is_unproven() -> None:
    """An app with a database must say how to see that it reaches it; one without needs nothing."""
    (finding,) = database_unproven(App.model_validate({"name": "web", "databases": {"DATABASE_URL": "main"}}))
    assert "apps.web.database_health_path (not set)" in str(finding)
    assert database_unproven(App(name="web")) == []


def json_answer(body: str) -> Exchange:
    """A JSON answer."""
    return replace(GOOD, headers=(("content-type", "application/json"),), body=body)


def test_same_json_in_another_order_matches() -> None:
    """Key order and white space are not differences."""
    assert matches(json_answer('{"a": 1, "b": [1, 2]}'), json_answer('{"b":[1,2],"a":1}'), HOME) == []


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (GOOD, replace(GOOD, status=500), "GET / status: source 200, target 500"),
        (GOOD, json_answer("{}"), "GET / content type: source text/html, target application/json"),
        (
            replace(GOOD, headers=(("location", "/a"),)),
            replace(GOOD, headers=(("location", "/b"),)),
            "GET / redirects to: source /a, target /b",
        ),
        (
            json_answer('{"products": [{"name": "Mug"}]}'),
            json_answer('{"products": [{"name": "Other"}]}'),
            'GET / $.products[0].name: source "Mug", target "Other"',
        ),
        (json_answer('{"a": 1, "b": 2}'), json_answer('{"a": 1}'), "GET / $.b: source 2, target absent"),
        (replace(GOOD, body="one\ntwo"), replace(GOOD, body="one\n2"), "GET / line 2: source two, target 2"),
        (replace(GOOD, error="refused: x"), GOOD, "GET / at the source (refused: x) == a response to compare"),
        (GOOD, replace(GOOD, error="refused: x"), "GET / at the target (refused: x) == a response to compare"),
        (
            replace(GOOD, body_bytes=70_000, body_sha256="a"),
            replace(GOOD, body_bytes=70_001, body_sha256="b"),
            "GET / beyond 64 KiB: source 70000 bytes, target 70001 bytes, not equal",
        ),
    ],
)
def test_differences_are_told(source: Exchange, target: Exchange, message: str) -> None:
    """Each way in which two answers differ is one message that names both sides."""
    assert [str(finding) for finding in matches(source, target, HOME)] == [message]


def test_many_differences_are_counted() -> None:
    """Five are shown, the rest is counted."""
    source, target = (json_answer(str([side] * 9)) for side in (1, 2))
    found = matches(source, target, HOME)
    assert len(found) == 6
    assert str(found[-1]) == "GET / differs in 4 more places"


@pytest.mark.parametrize(
    ("first", "again", "target", "found"),
    [
        ('{"id": 1, "at": 5}', '{"id": 1, "at": 6}', '{"id": 1, "at": 7}', []),
        ('{"id": 1, "at": 5}', '{"id": 1, "at": 6}', '{"id": 2, "at": 7}', ["$.id: source 1, target 2"]),
        ("a\nnonce 1\nb", "a\nnonce 2\nb", "a\nnonce 3\nb", []),
        ("a\nnonce 1\nb", "a\nnonce 2\nb", "a\nnonce 3\nc", ["line 3: source b, target c"]),
        ("[1]", "not json", "[1]", []),
    ],
)
def test_volatile_parts_are_not_compared(first: str, again: str, target: str, found: list[str]) -> None:
    """What differs when the source is asked twice is not held against the target; all else is."""
    assert differences(first, target, again=again) == found


def test_ignored_patterns_are_not_compared() -> None:
    """What the configuration says to ignore is blanked on both sides."""
    assert differences("token=abc x", "token=def x", ignore=("token=[a-z]+",)) == []
    assert differences("token=abc x", "token=def y", ignore=("token=[a-z]+",)) == ["line 1: source x, target y"]


def test_long_lines_are_shown_where_they_differ() -> None:
    """Of a long line the part around the difference is shown."""
    (line,) = differences("a" * 500 + "X" + "b" * 500, "a" * 500 + "Y" + "b" * 500)
    assert "aX" in line
    assert "aY" in line
    assert len(line) < 220


def test_volatile_answer_that_failed_is_not_used() -> None:
    """If asking again failed, everything is compared."""
    again = replace(GOOD, error="cut off: x", body="")
    assert len(matches(GOOD, replace(GOOD, body="other"), HOME, again=again)) == 1
