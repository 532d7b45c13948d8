"""The JSON client against a server that misbehaves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from fix_platforms import HEROKU_TOKEN, Platforms

from kovra_checks.errors import ActionFailed, CouldNotLook
from kovra_checks.lab.exchange import Request, Response
from kovra_checks.platforms.http import JsonApi
from kovra_checks.waiting import pause


@dataclass
class Scripted:
    """Answers in turn; the last one again and again."""

    answers: list[Response]
    seen: list[str] = field(default_factory=list)
    slow: float = 0.0

    def __call__(self, request: Request) -> Response:
        """The next answer."""
        self.seen.append(f"{request.method} {request.path}")
        if self.slow:
            pause(self.slow)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def api(platforms: Platforms) -> JsonApi:
    """A client of the server the tests script."""
    return JsonApi(
        platforms.access(platforms.migration(policy={"probe_timeout": "500ms"})),
        "Heroku",
        platforms.heroku.platform.url,
        reference="file:heroku",
        headers={"Authorization": f"Bearer {HEROKU_TOKEN}"},
    )


def answer(status: int, data: object, **headers: str) -> Response:
    """An answer with JSON."""
    told = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(status, json.dumps(data).encode(), "application/json", told)


CREDENTIALS = {"id": "unauthorized", "message": "Invalid credentials."}
NO_APP = {"error": {"code": "not_found", "message": "No such app."}}
REFUSALS: list[tuple[int, object, str, str]] = [
    (401, CREDENTIALS, "status 401 (unauthorized: Invalid credentials.), request id r-1", "renew it where file:heroku"),
    (403, {"id": "forbidden", "message": "No."}, "status 403 (forbidden: No.)", "lacks the right"),
    (404, NO_APP, "status 404 (not_found: No such app.)", "check the name"),
    (418, [], "status 418, request id r-1", "nothing was repeated"),
    (301, {}, "status 301", "nothing was repeated"),
]


@pytest.mark.parametrize(("status", "body", "seen", "remedy"), REFUSALS, ids=[str(row[0]) for row in REFUSALS])
def test_a_refusal_says_what_was_asked_seen_and_what_to_do(
    platforms: Platforms, api: JsonApi, status: int, body: object, seen: str, remedy: str
) -> None:
    """Each refused status becomes one error with request line, status, request id and a remedy, after one try."""
    script = Scripted([answer(status, body, Request_Id="r-1")])
    platforms.heroku.platform.intercept = script
    with pytest.raises(CouldNotLook) as caught:
        api.look("/apps/shop-web")
    assert caught.value.tried == f"Heroku GET {platforms.heroku.platform.url}/apps/shop-web"
    assert seen in caught.value.seen
    assert remedy in caught.value.remedy
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_looked_at_again(platforms: Platforms, api: JsonApi, status: int) -> None:
    """429 and 5xx on GET are asked again until the answer comes."""
    platforms.heroku.platform.intercept = Scripted([answer(status, {}), answer(200, {"ok": True})])
    assert api.look("/x").data == {"ok": True}


@pytest.mark.parametrize(
    ("status", "remedy"), [(429, "rate limit is used up"), (503, "problem of its own")], ids=["429", "503"]
)
def test_a_lasting_trouble_ends_within_the_cap(platforms: Platforms, api: JsonApi, status: int, remedy: str) -> None:
    """What does not pass within three time limits is an error that says so."""
    script = Scripted([answer(status, {}, Retry_After="0")])
    platforms.heroku.platform.intercept = script
    with pytest.raises(CouldNotLook, match=f"status {status}") as caught:
        api.look("/x")
    assert remedy in caught.value.remedy
    assert 1 < len(script.seen) < 6


def test_a_long_retry_after_is_not_waited_for(platforms: Platforms, api: JsonApi) -> None:
    """When the server asks for more patience than there is, the first answer is the last."""
    script = Scripted([answer(429, {}, Retry_After="3600")])
    platforms.heroku.platform.intercept = script
    with pytest.raises(CouldNotLook, match="status 429"):
        api.look("/x")
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_change_is_never_repeated(platforms: Platforms, api: JsonApi, status: int) -> None:
    """No method but GET is sent twice, whatever the answer."""
    script = Scripted([answer(status, {})])
    platforms.heroku.platform.intercept = script
    with pytest.raises(ActionFailed, match=f"status {status}"):
        api.change("PATCH", "/x", {"a": 1})
    assert script.seen == ["PATCH /x"]


def test_a_change_without_an_answer_may_have_happened(platforms: Platforms, api: JsonApi) -> None:
    """A timeout of a change is told as such: look before running again."""
    platforms.heroku.platform.intercept = Scripted([answer(200, {})], slow=0.8)
    with pytest.raises(ActionFailed, match=r"no answer within 0\.5s") as caught:
        api.change("POST", "/x", {})
    assert "look before running again" in caught.value.remedy


def test_garbage_is_not_an_answer(platforms: Platforms, api: JsonApi) -> None:
    """A page of a proxy is told as what it is."""
    platforms.heroku.platform.intercept = Scripted([Response(200, b"<html>", "text/html")])
    with pytest.raises(CouldNotLook, match="6 bytes that are no JSON"):
        api.look("/x")


def test_nobody_listening_is_an_error(platforms: Platforms, api: JsonApi) -> None:
    """A refused connection could not be looked at."""
    platforms.heroku.stop()
    with pytest.raises(CouldNotLook, match="ConnectError"):
        api.look("/x")


def test_no_message_holds_the_token(platforms: Platforms, api: JsonApi) -> None:
    """An API that echoes the token is masked."""
    platforms.access().secrets.learn(HEROKU_TOKEN)
    api._access.secrets.learn(HEROKU_TOKEN)
    platforms.heroku.platform.intercept = Scripted([answer(403, {"message": f"{HEROKU_TOKEN} may not"})])
    with pytest.raises(CouldNotLook) as caught:
        api.look("/x")
    assert HEROKU_TOKEN not in str(caught.value)


def test_a_certificate_of_a_stranger_is_refused(platforms: Platforms) -> None:
    """Without the lab's root the API is not spoken to."""
    access = platforms.access(platforms.migration(ca_file=None, policy={"probe_timeout": "500ms"}))
    stranger = JsonApi(access, "Heroku", platforms.heroku.platform.url, reference="file:heroku", headers={})
    with pytest.raises(CouldNotLook, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.look("/apps")
