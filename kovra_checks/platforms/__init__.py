"""Control APIs of both sides, chosen by configuration."""

from __future__ import annotations

from kovra_checks.access import Access
from kovra_checks.errors import ConfigError
from kovra_checks.platforms.generic import Generic
from kovra_checks.platforms.heroku import Heroku
from kovra_checks.platforms.kovra import Kovra
from kovra_checks.protocols import KovraCloud, SourcePlatform

__all__ = ["kovra_cloud", "source_platform"]


def source_platform(access: Access) -> SourcePlatform:
    """The client of the configured source. Raises ConfigError for a platform that has none yet."""
    platform = access.migration.source.platform
    if platform == "heroku":
        return Heroku(access)
    if platform == "generic":
        return Generic(access)
    raise ConfigError(
        f"reach the source platform {platform}",
        seen=f'source.platform = "{platform}" has no client in this version',
        remedy='write source.platform = "generic" and say in the file what the API would have said',
    )


def kovra_cloud(access: Access) -> KovraCloud:
    """Kovra Cloud's client. Raises ConfigError without an address or token."""
    return Kovra(access)
