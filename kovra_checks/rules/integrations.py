"""Rules over what outside parties meet: webhooks and logins."""

from __future__ import annotations

from kovra_checks.migration import Integration
from kovra_checks.observations.http import Exchange
from kovra_checks.observations.integrations import Login
from kovra_checks.outcome import Finding

__all__ = ["callback_works", "is_delivered"]


def is_delivered(seen: Exchange, webhook: Integration) -> list[Finding]:
    """The signed test event got the expected status."""
    what = f"webhook {webhook.name}: POST {seen.url}" + (f" at {seen.address}" if seen.address else "")
    if seen.error is not None:
        return [Finding(f"{what} ({seen.error}) == status {webhook.status}")]
    if seen.status == webhook.status:
        return []
    signed = seen.status in (401, 403) and webhook.secret is not None
    remedy = "the app refused our signature: copy the signing secret to the target, byte for byte" if signed else ""
    return [Finding(f"{what} status ({seen.status}) == {webhook.status}", remedy)]


def callback_works(seen: Login, oauth: Integration) -> list[Finding]:
    """The provider sent the user to exactly our callback, and the callback took the code."""
    what = f"login {oauth.name}"
    if seen.returned_to is None:
        return [
            Finding(
                f"{what}: the provider answered ({seen.authorize_status}: {seen.problem}), expected a redirect to "
                f"{seen.expected}",
                "register that redirect URI at the provider, spelt exactly so",
            )
        ]
    if seen.returned_to != seen.expected:
        return [
            Finding(
                f"{what}: the provider sends users to ({seen.returned_to}), expected {seen.expected}",
                "correct the redirect URI at the provider and in the app's variables",
            )
        ]
    if seen.problem:
        return [Finding(f"{what}: the provider sent the user back with error ({seen.problem}), expected a code")]
    return _callback(seen, oauth, what)


def _callback(seen: Login, oauth: Integration, what: str) -> list[Finding]:
    callback = seen.callback
    if callback is None:
        return [Finding(f"{what}: callback {seen.expected} (not called) == status {oauth.status}")]
    if callback.error is not None:
        return [Finding(f"{what}: callback {seen.expected} ({callback.error}) == status {oauth.status}")]
    if callback.status != oauth.status:
        return [Finding(f"{what}: callback {seen.expected} status ({callback.status}) == {oauth.status}")]
    return []
