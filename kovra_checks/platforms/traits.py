"""What a variable's value reveals that may be told: its digest, the parts of a URL, hosts of the old side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from kovra_checks.migration import Migration
from kovra_checks.observations.platform import UrlTraits, VariableSeen
from kovra_checks.protocols import Variable
from kovra_checks.secrets import Secrets

__all__ = ["old_suffixes", "seen", "url_traits"]

HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")
# Names that resolve inside one platform only: Railway's private network; Render's databases, key-value stores and
# headless services.
PRIVATE = re.compile(r"[a-z0-9.-]+\.railway\.internal|(?:dpg|red)-[a-z0-9]+(?:-[a-z])?|[a-z0-9-]+-discovery")
WORD = re.compile(r"[a-z0-9][a-z0-9.-]*")


def url_traits(value: str | None) -> UrlTraits | None:
    """Scheme, host, port and `sslmode` of a URL with a host; None for anything else."""
    try:
        parts = urlsplit(value or "")
        if not parts.scheme or not parts.hostname:
            return None
        mode = parse_qs(parts.query).get("sslmode", [None])[0]
        return UrlTraits(parts.scheme, parts.hostname, parts.port, mode)
    except ValueError:
        return None


def old_suffixes(migration: Migration) -> tuple[str, ...]:
    """Hosts, and suffixes of hosts, that belong to the source: the policy's, and what the domains point at today."""
    targets = (str(domain.source_target) for domain in migration.domains)
    return tuple(sorted({*migration.policy.old_hosts, *targets}))


def seen(variable: Variable, secrets: Secrets, suffixes: Iterable[str]) -> VariableSeen:
    """*variable* without its value."""
    value = variable.value
    if value is None:
        return VariableSeen(variable.name, None, variable.origin)
    lower = value.lower()
    hosts = set(HOST.findall(lower))
    old = {host for host in hosts if any(_belongs(host, suffix.lower()) for suffix in suffixes)}
    private = {word for word in WORD.findall(lower) if PRIVATE.fullmatch(word)}
    return VariableSeen(
        name=variable.name,
        digest=secrets.digest(value),
        origin=variable.origin,
        url=url_traits(value),
        old_hosts=tuple(sorted(old)),
        private_hosts=tuple(sorted(private - old)),
    )


def _belongs(host: str, suffix: str) -> bool:
    """`.example.com` covers the names below it; a name without the dot covers itself and the names below it."""
    bare = suffix.removeprefix(".")
    return host == bare or host.endswith("." + bare)
