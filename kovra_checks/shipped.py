"""Where the suites are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from kovra_checks.errors import ConfigError
from kovra_checks.stages import STAGES

__all__ = ["suites_folder"]


def suites_folder() -> Path:
    """The folder `suites` that came with this package. Raises ConfigError when the installation has none."""
    package = Path(__file__).parent
    for folder in (package / "suites", package.parent / "suites"):
        if any((folder / stage).is_dir() for stage in STAGES):
            return folder
    raise ConfigError(
        "find the suites", seen=f"no stage folder in or beside {package}", remedy="install the kovra-checks wheel again"
    )
