"""Data of lab servers that had to be put outside their lab's folder, and what dead labs left of it."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from kovra_checks.lab.account import Account

__all__ = ["PLACE", "make_outside", "sweep"]

PLACE = "place.json"
PREFIX = "kovra-pg-"
OWNER = "belongs-to"
SETTLED = 600.0  # seconds: a younger folder may belong to a lab that is still being made


def make_outside(directory: Path, account: Account) -> Path:
    """A folder in the temporary folder, the account's own, for the server whose lab folder is *directory*."""
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    (home / OWNER).write_text(str(directory.resolve()), encoding="utf-8")
    account.give(home)
    return home


def sweep() -> None:
    """Remove what belongs to lab folders that are gone, e.g. temporary folders cleaned up after a crash."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, ValueError, KeyError):
            owner = Path((home / OWNER).read_text(encoding="utf-8"))
            settled = time.time() - (home / OWNER).stat().st_mtime > SETTLED
            if settled and not _is_used(owner, home):
                shutil.rmtree(home)


def _is_used(owner: Path, home: Path) -> bool:
    place = owner / PLACE
    return place.exists() and Path(json.loads(place.read_text(encoding="utf-8"))["data"]).parent == home
