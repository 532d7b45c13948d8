"""Outside parties after the cutover: webhooks arrive, logins come back."""

from kovra_checks import Check, Integration, check
from kovra_checks.observations import integrations as outside
from kovra_checks.rules import integrations


@check("webhook-is-delivered")
def test_webhook_is_delivered(webhook: Integration) -> Check:
    delivery = outside.WebhookDelivery(webhook.name)
    return Check(delivery, lambda seen: integrations.is_delivered(seen[delivery], webhook))


@check("oauth-callback-works")
def test_oauth_callback_works(oauth: Integration) -> Check:
    login = outside.OAuthLogin(oauth.name)
    return Check(login, lambda seen: integrations.callback_works(seen[login], oauth))
