"""Webhooks and logins, played from outside against a real app and a real provider on loopback."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from fix_tls import SHOP, Sides

from kovra_checks.errors import ConfigError, CouldNotLook
from kovra_checks.lab.edge import Edge
from kovra_checks.lab.exchange import Request, Response, html, json_response
from kovra_checks.lab.oauth_provider import OAuthProvider
from kovra_checks.lab.sample_app import ShopApp
from kovra_checks.migration import Integration, Migration
from kovra_checks.observations.http import Exchange
from kovra_checks.observations.integrations import Login, OAuthLogin, WebhookDelivery
from kovra_checks.outcome import adapter, as_json
from kovra_checks.probes.integrations import deliver, log_in
from kovra_checks.rules.integrations import callback_works, is_delivered

SECRET = "canary-webhook-secret"
CLIENT_SECRET = "canary-client-secret"
CALLBACK = f"https://{SHOP}:10443/auth/callback"


def told(findings: list[Any]) -> list[str]:
    """The messages."""
    return [str(finding) for finding in findings]


@pytest.fixture
def provider(sides: Sides) -> Iterator[OAuthProvider]:
    """A provider that knows our callback, on an edge of its own."""
    address = sides.addresses.oauth_provider
    chain, key = sides.ca.issue([address])
    edge = Edge([address], sides.addresses.https_port, sides.addresses.http_port, (chain.decode(), key.decode()))
    found = OAuthProvider("shop", CLIENT_SECRET, (CALLBACK,))
    edge.route(address, found)
    edge.start()
    yield found
    edge.stop()


@pytest.fixture
def shop(sides: Sides) -> Iterator[ShopApp]:
    """The sample shop at the target, with its secrets."""
    variables = {
        "WEBHOOK_SECRET": SECRET,
        "OAUTH_URL": provider_url(sides),
        "OAUTH_CLIENT_ID": "shop",
        "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
        "OAUTH_CALLBACK_HOST": SHOP,
        "PUBLIC_URL": f"https://{SHOP}:10443",
    }
    app = ShopApp(variables, ca_file=str(sides.ca.root_file))
    sides.target_edge.route(SHOP, app)
    yield app
    app.stop()


def provider_url(sides: Sides) -> str:
    """Where the provider is."""
    return f"https://{sides.addresses.oauth_provider}:10443"


def migration(sides: Sides, **login: Any) -> Migration:
    """A migration with a webhook and a login."""
    (sides.directory / "webhook").write_text(SECRET)
    authorize = f"{provider_url(sides)}/authorize?" + urlencode(
        {"client_id": "shop", "redirect_uri": "https://old.test"}
    )
    webhook = {"name": "payments", "kind": "webhook", "app": "web", "domain": SHOP, "path": "/webhooks/payments",
               "secret": "file:webhook"}  # fmt: skip
    oauth = {"name": "login", "kind": "oauth", "app": "web", "domain": SHOP, "path": "/auth/callback",
             "authorize_url": authorize, **login}  # fmt: skip
    return sides.migration(integrations=[oauth, webhook])


def delivered(sides: Sides, target: str = "") -> tuple[Exchange, list[str]]:
    """A delivery, and what the rule says."""
    moved = migration(sides)
    seen = deliver(WebhookDelivery("payments", target), sides.access(moved))
    return seen, told(is_delivered(seen, moved.integrations[1]))


def test_webhook_is_signed_and_accepted(sides: Sides, shop: ShopApp) -> None:
    """The app checks our signature with its own copy of the secret, and accepts; before the swap by the target."""
    assert shop.variables["WEBHOOK_SECRET"] == SECRET
    seen, found = delivered(sides, sides.addresses.target_edges[0])
    assert (seen.status, found) == (200, [])
    sides.swap()
    seen, found = delivered(sides)
    assert (seen.address, found) == (sides.addresses.target_edges[0], [])


def test_webhook_signature_is_hmac_of_the_body(sides: Sides) -> None:
    """The signature is what receivers compute: sha256= and HMAC-SHA256 of the exact body."""
    sides.source.pages["/webhooks/payments"] = json_response(200, {})
    delivered(sides)
    (asked,) = sides.source.asked
    expected = hmac.new(SECRET.encode(), asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["x-signature"] == f"sha256={expected}"


def test_webhook_refused(sides: Sides, shop: ShopApp) -> None:
    """A refused signature is told with what to do about it."""
    shop.behaviour.webhook_rejects = True
    sides.swap()
    moved = migration(sides)
    seen = deliver(WebhookDelivery("payments"), sides.access(moved))
    (finding,) = is_delivered(seen, moved.integrations[1])
    assert str(finding) == (
        f"webhook payments: POST https://{SHOP}:10443/webhooks/payments at {seen.address} status (401) == 200"
    )
    assert "signing secret" in finding.remedy


def test_webhook_to_a_closed_port(sides: Sides) -> None:
    """No response is told as such."""
    sides.target_edge.stop()
    _, found = delivered(sides, sides.addresses.target_edges[0])
    assert "(refused: nothing listens on the port) == status 200" in found[0]


def test_webhook_without_its_secret(sides: Sides) -> None:
    """A secret that cannot be resolved is a fault of the configuration, not of the app."""
    moved = migration(sides)
    (sides.directory / "webhook").unlink()
    with pytest.raises(ConfigError, match="read the secret file:webhook"):
        deliver(WebhookDelivery("payments"), sides.access(moved))


def logged_in(sides: Sides, **login: Any) -> tuple[Login, list[str]]:
    """A login by the domain's name, and what the rule says."""
    moved = migration(sides, **login)
    seen = log_in(OAuthLogin("login"), sides.access(moved))
    assert adapter(Login).validate_python(as_json(seen)) == seen
    return seen, told(callback_works(seen, moved.integrations[0]))


@pytest.mark.usefixtures("provider", "shop")
def test_login_comes_back_and_is_accepted(sides: Sides) -> None:
    """The provider is asked for exactly our callback, and the callback takes the code; no code is kept."""
    sides.swap()
    seen, found = logged_in(sides)
    assert (seen.authorize_status, seen.returned_to, found) == (302, CALLBACK, [])
    assert seen.callback is not None
    assert (seen.callback.status, seen.callback.url, seen.callback.body) == (200, CALLBACK, "")


@pytest.mark.usefixtures("provider", "shop")
def test_login_may_start_at_the_app(sides: Sides) -> None:
    """The app's own login page leads to the provider and back."""
    sides.swap()
    seen, found = logged_in(sides, authorize_url=f"https://{SHOP}:10443/auth/login")
    assert (seen.returned_to, found) == (CALLBACK, [])


@pytest.mark.usefixtures("shop")
def test_unregistered_callback(sides: Sides, provider: OAuthProvider) -> None:
    """A provider that does not know the callback is told with what to register."""
    provider.deregister(CALLBACK)
    sides.swap()
    _, found = logged_in(sides)
    answer = '{"error": "redirect_uri_mismatch"}'
    assert found == [f"login login: the provider answered (400: {answer}), expected a redirect to {CALLBACK}"]


@pytest.mark.usefixtures("provider")
def test_callback_refuses(sides: Sides, shop: ShopApp) -> None:
    """A callback that fails is told with its status."""
    shop.behaviour.oauth_fails = True
    sides.swap()
    _, found = logged_in(sides)
    assert found == [f"login login: callback {CALLBACK} status (502) == 200"]


def test_cookies_go_back_to_their_host(sides: Sides) -> None:
    """A login that keeps its state in a cookie finds it again at the callback, and the value is masked from then on."""
    moved = migration(sides, authorize_url=f"https://{SHOP}:10443/start")
    sides.source.pages["/start"] = Response(
        302, headers=(("Location", "/auth/callback?code=canary-code"), ("Set-Cookie", "state=canary-state; Path=/"))
    )
    sides.source.pages["/auth/callback"] = json_response(200, {})
    access = sides.access(moved)
    seen = log_in(OAuthLogin("login"), access)
    assert callback_works(seen, moved.integrations[0]) == []
    assert sides.source.asked[-1].headers["cookie"] == "state=canary-state"
    assert "canary" not in access.secrets.mask("canary-state canary-code")


def test_provider_that_wants_a_person(sides: Sides) -> None:
    """A page instead of a redirect cannot be judged from here."""
    sides.source.pages["/start"] = html(200, "Sign in")
    with pytest.raises(CouldNotLook, match="answered 200 with a page"):
        logged_in(sides, authorize_url=f"https://{SHOP}:10443/start")


def test_endless_redirects(sides: Sides) -> None:
    """A loop ends."""
    sides.source.pages["/start"] = Response(302, headers=(("Location", "/start"),))
    with pytest.raises(CouldNotLook, match="more than 6 redirects"):
        logged_in(sides, authorize_url=f"https://{SHOP}:10443/start")


def test_login_without_authorize_url(sides: Sides) -> None:
    """Without a start there is nothing to see."""
    with pytest.raises(CouldNotLook, match=r"no authorize_url is configured"):
        logged_in(sides, authorize_url=None)


OAUTH = Integration.model_validate(
    {"name": "login", "kind": "oauth", "app": "web", "domain": SHOP, "path": "/auth/callback"}
)
BACK = Login(CALLBACK, 302, CALLBACK, callback=Exchange(CALLBACK, "192.0.2.1", 200))


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (
            replace(BACK, returned_to="https://old.test/cb"),
            f"sends users to (https://old.test/cb), expected {CALLBACK}",
        ),
        (replace(BACK, problem="access_denied", callback=None), "with error (access_denied), expected a code"),
        (replace(BACK, callback=None), f"callback {CALLBACK} (not called) == status 200"),
        (
            replace(BACK, callback=Exchange(CALLBACK, "192.0.2.1", None, error="refused: x")),
            f"callback {CALLBACK} (refused: x) == status 200",
        ),
    ],
)
def test_login_faults_are_told(seen: Login, message: str) -> None:
    """Each way in which a login ends early is one message."""
    (finding,) = callback_works(seen, OAUTH)
    assert message in str(finding)


def test_error_from_the_provider(sides: Sides) -> None:
    """An error that comes back to our callback is told, and the callback is not called."""
    sides.source.pages["/start"] = Response(302, headers=(("Location", "/auth/callback?error=access_denied"),))

    def never(_request: Request) -> Response:
        raise AssertionError("an error must not be exchanged")

    sides.source.pages["/auth/callback"] = never
    seen, found = logged_in(sides, authorize_url=f"https://{SHOP}:10443/start")
    assert (seen.problem, seen.callback) == ("access_denied", None)
    assert len(found) == 1
