"""The names and secrets of the lab's world."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from kovra_checks.lab.addresses import Addresses

__all__ = ["CANARY", "Keys", "canary", "source_variables"]

CANARY = "canary"
DOMAIN = "shop.example.test"
ZONE = "example.test"
APP = "web"
SOURCE_APP = "shop-web"
SOURCE_DNS_TARGET = "quiet-pine-1234.herokudns.test"
TARGET_HOST = "web.apps.kovra.test"
DATABASE = "main"
JOB = "nightly"
JOB_SCHEDULE = "0 3 * * *"
JOB_COMMAND = "python -m shop.jobs nightly"
SOURCE_JOB_PROCESS = "clock"
REPOSITORY = "https://github.com/acme/shop"
COMMIT = "5f3c2a9d41e7b8064cf1a2d3e4b5968778695a4b"
SHOP_NAME = "Pine & Tide"
TSIG_KEY = "kovra-checks."
BUCKET = "shop-uploads"
UPLOADER = "shop-uploader"
OAUTH_CLIENT = "shop-login"


def canary(characters: int = 44) -> str:
    """A secret that a leak test can search for: it begins with `CANARY`. Decodable as base64 (TSIG keys must be)."""
    return CANARY + secrets.token_hex(characters)[: characters - len(CANARY)]


@dataclass(frozen=True, slots=True)
class Keys:
    """Every secret of one lab. Made once, then kept in its folder."""

    heroku_token: str = field(default_factory=canary)
    kovra_token: str = field(default_factory=canary)
    tsig: str = field(default_factory=canary)
    source_password: str = field(default_factory=canary)
    target_password: str = field(default_factory=canary)
    session: str = field(default_factory=canary)
    webhook: str = field(default_factory=canary)
    oauth: str = field(default_factory=canary)
    bucket: str = field(default_factory=canary)

    def save(self) -> dict[str, str]:
        """For the lab's state file."""
        return asdict(self)


def source_variables(addresses: Addresses, keys: Keys, database_url: str) -> Mapping[str, str]:
    """The configuration of the shop at the source."""
    return {
        "AWS_ACCESS_KEY_ID": UPLOADER,
        "AWS_SECRET_ACCESS_KEY": keys.bucket,
        "DATABASE_URL": database_url,
        "LOG_LEVEL": "info",
        "OAUTH_CALLBACK_HOST": DOMAIN,
        "OAUTH_CLIENT_ID": OAUTH_CLIENT,
        "OAUTH_CLIENT_SECRET": keys.oauth,
        "OAUTH_URL": f"https://{addresses.oauth_provider}:{addresses.https_port}",
        "PUBLIC_URL": public_url(addresses),
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT": f"https://{addresses.object_store}:{addresses.https_port}",
        "SECRET_KEY": keys.session,
        "SHOP_NAME": SHOP_NAME,
        "WEBHOOK_SECRET": keys.webhook,
    }


def public_url(addresses: Addresses) -> str:
    """The shop's address as its users know it."""
    return f"https://{DOMAIN}:{addresses.https_port}"


def callback_url(addresses: Addresses) -> str:
    """Where the login provider sends users back to."""
    return f"{public_url(addresses)}/auth/callback"
