"""Who changes DNS records: one file per kind of provider."""

from __future__ import annotations

from kovra_checks.access import Access
from kovra_checks.dns_providers.manual import ManualProvider
from kovra_checks.dns_providers.rfc2136 import Rfc2136Provider
from kovra_checks.errors import ConfigError
from kovra_checks.protocols import DnsProvider

__all__ = ["provider_for"]


def provider_for(access: Access, name: str) -> DnsProvider:
    """The provider called *name* in `[dns_providers]`. Nothing is contacted yet. Raises ConfigError."""
    config = next((each for each in access.migration.dns_providers if each.name == name), None)
    if config is None:
        known = ", ".join(each.name for each in access.migration.dns_providers) or "none"
        raise ConfigError(
            f"use the DNS provider {name}", seen=f"configured are: {known}", remedy=f"add [dns_providers.{name}]"
        )
    if config.kind == "manual":
        return ManualProvider(access)
    return Rfc2136Provider(access, config)
