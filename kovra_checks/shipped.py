"""Where the suites are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["suites_folder"]


def suites_folder() -> Path:
    """The folder `suites` that came with this package."""
    package = Path(__file__).resolve().parent
    inside = package / "suites"
    return inside if inside.is_dir() else package.parent / "suites"
