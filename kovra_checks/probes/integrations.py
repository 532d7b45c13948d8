"""Plays the outside parties: delivers a signed webhook, logs in through the OAuth provider."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.migration import Integration
from kovra_checks.observations.http import Exchange
from kovra_checks.observations.integrations import Login, OAuthLogin, WebhookDelivery
from kovra_checks.observations.routes import Place, by_name
from kovra_checks.outcome import Question
from kovra_checks.probes.exchange import Outgoing, exchange
from kovra_checks.probes.net import addresses_of

__all__ = ["ANSWERERS", "deliver", "log_in"]

HOPS = 6
TOLD = 160  # characters of a provider's objection that are kept


def _integration(name: str, access: Access) -> tuple[Integration, Place]:
    migration = access.migration
    found = next(each for each in migration.integrations if each.name == name)
    domain = next((each for each in migration.domains if each.name == found.domain), None)
    return found, Place(found.domain) if domain is None else by_name(domain)


def _send(place: Place, outgoing: Outgoing, access: Access, jar: dict[str, str] | None = None) -> Exchange:
    addresses = addresses_of(place.connects_to, access)
    if not addresses:
        return Exchange(f"{place.origin}{outgoing.path}", "", None, error=f"no address: {place.connects_to} has none")
    return exchange(place, addresses[0], outgoing, access.trust(), access.timeout, jar)


def deliver(question: WebhookDelivery, access: Access) -> Exchange:
    """Send the configured test event, signed if it has a secret. Raises CouldNotLook, or ConfigError."""
    webhook, place = _integration(question.integration, access)
    body = webhook.body.encode()
    headers = [("Content-Type", "application/json")]
    if webhook.secret is not None:
        key = access.secrets.resolve(webhook.secret).encode()
        headers.append((webhook.signature_header, "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()))
    outgoing = Outgoing(webhook.path, "POST", tuple(headers), body)
    return _send(replace(place, target=question.target), outgoing, access)


def log_in(question: OAuthLogin, access: Access) -> Login:
    """Go through the authorization code flow (RFC 6749 section 4.1) as a browser whose user has agreed before.

    Raises CouldNotLook when the provider wants a person, or cannot be reached.
    """
    oauth, place = _integration(question.integration, access)
    place = replace(place, target=question.target)
    expected = f"{place.origin}{oauth.path}"
    if oauth.authorize_url is None:
        raise CouldNotLook(
            f"log in by {oauth.name}",
            seen="no authorize_url is configured",
            remedy=f"set integrations.{oauth.name}.authorize_url to where a login starts",
        )
    jars: dict[str, dict[str, str]] = {}
    url = _start(oauth.authorize_url, place, expected)
    for _ in range(HOPS):
        answer = _browse(url, place, jars, access)
        onward = urljoin(url, answer.header("location"))
        ending = _ending(oauth, answer, url, onward, expected)
        if ending is not None:
            return _called_back(ending, onward, place, jars, access) if ending.returned_to == expected else ending
        url = onward
    raise CouldNotLook(
        f"log in by {oauth.name}", seen=f"more than {HOPS} redirects", remedy="see where the provider's redirects lead"
    )


def _start(authorize_url: str, place: Place, expected: str) -> str:
    """The first URL. The provider's own is asked for our callback; the app's own login page asks by itself."""
    parts = urlsplit(authorize_url)
    if parts.hostname == place.host:
        return authorize_url
    asked = dict(parse_qsl(parts.query)) | {"response_type": "code", "redirect_uri": expected}
    asked.setdefault("state", "kovra-checks")
    return parts._replace(query=urlencode(asked)).geturl()


def _browse(url: str, ours: Place, jars: dict[str, dict[str, str]], access: Access) -> Exchange:
    """GET *url* with the cookies of its host; our own host is reached where the question says."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    place = Place(host, parts.port or (443 if secure else 80), scheme="https" if secure else "http")
    if host == ours.host:
        place = replace(place, target=ours.target)
    jar = jars.setdefault(host, {})
    cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
    headers = (("Cookie", cookies),) if cookies else ()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    answer = _send(place, Outgoing(path, headers=headers), access, jar)
    for value in jar.values():
        access.secrets.learn(value)
    return answer


def _ending(oauth: Integration, answer: Exchange, url: str, onward: str, expected: str) -> Login | None:
    """The login's end if the provider objects, or sends the user on with a code or an error; None if it goes on."""
    if answer.error is not None or answer.status is None or answer.status >= 400:
        return Login(expected, answer.status, None, answer.error or " ".join(answer.body[:TOLD].split()))
    if not answer.header("location") or answer.status < 300:
        raise CouldNotLook(
            f"log in by {oauth.name}",
            seen=f"{urlsplit(url).netloc} answered {answer.status} with a page instead of sending the user back",
            remedy="use a client or test user that needs no person to agree, or check this login by hand and waive it",
        )
    parts = urlsplit(onward)
    plain = parts._replace(query="", fragment="").geturl()
    told = dict(parse_qsl(parts.query))
    if plain != expected and "code" not in told and "error" not in told:
        return None
    return Login(expected, answer.status, plain, told.get("error", ""))


def _called_back(login: Login, url: str, place: Place, jars: dict[str, dict[str, str]], access: Access) -> Login:
    if login.problem:
        return login
    access.secrets.learn(dict(parse_qsl(urlsplit(url).query)).get("code"))
    answer = _browse(url, place, jars, access)
    bare = replace(answer, url=login.expected, headers=(), body="", body_sha256="")
    return replace(login, callback=bare)


ANSWERERS: dict[type[Question[Any]], Callable[[Any, Access], Any]] = {WebhookDelivery: deliver, OAuthLogin: log_in}
