"""Questions that play the outside parties of an app: who delivers webhooks, who logs users in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kovra_checks.observations.http import Exchange
from kovra_checks.outcome import Question

__all__ = ["Login", "OAuthLogin", "WebhookDelivery"]


@dataclass(frozen=True, slots=True)
class WebhookDelivery(Question[Exchange]):
    """What does a signed test event get? The signature is `sha256=` and HMAC-SHA256 of the body in hex.

    Attributes:
        integration: Table key of the webhook; its secret is looked up by it.
        target: Name or address to deliver to; by the domain's own name if empty, as the outside party does.
    """

    integration: str
    target: str = ""
    kind: ClassVar[str] = "webhook-delivery"
    answer_type: ClassVar[type] = Exchange


@dataclass(frozen=True, slots=True)
class Login:
    """How far a login came.

    Attributes:
        expected: The callback the provider must send users to.
        authorize_status: Status of the provider's last answer, or None.
        returned_to: Where it sent the user, without query; None if nowhere.
        problem: What the provider objected to (`error` in RFC 6749 section 4.1.2.1, or the start of its page), or "".
        callback: Our callback's answer to the code (its body and headers left out); None if it was not reached.
    """

    expected: str
    authorize_status: int | None
    returned_to: str | None
    problem: str = ""
    callback: Exchange | None = None


@dataclass(frozen=True, slots=True)
class OAuthLogin(Question[Login]):
    """Does a login come back to our callback, and does the callback accept the code?

    Attributes:
        integration: Table key of the OAuth integration.
        target: Name or address at which the callback is called; by the domain's own name if empty.
    """

    integration: str
    target: str = ""
    kind: ClassVar[str] = "oauth-login"
    answer_type: ClassVar[type] = Login
