"""Folders of stopped labs: copied, so that a lab can go on from a saved moment more than once, and removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kovra_checks.lab.account import Account, reachable
from kovra_checks.lab.outside import PLACE, make_outside
from kovra_checks.lab.postgres import PgServer

__all__ = ["SERVERS", "copy_state", "remove_state"]

SERVERS = ("postgres-source", "postgres-target")
LEFT_OUT = shutil.ignore_patterns("lab.json", "lab.draft", "lab.log", "server.log", "traffic.json.*", *SERVERS)


def copy_state(source: Path, destination: Path) -> None:
    """Copy the folder of a lab whose database servers are stopped; a lab can be started from the copy.

    The copy keeps the address block, so only one of the two can run at a time.
    """
    shutil.copytree(source, destination, ignore=LEFT_OUT, dirs_exist_ok=True)
    for name in SERVERS:
        if (source / name / PLACE).exists():
            _copy_server(source / name, destination / name)


def remove_state(directory: Path) -> None:
    """Delete the folder of a stopped lab, and its databases wherever they lie."""
    for name in SERVERS:
        if (directory / name / PLACE).exists():
            PgServer(directory / name, "127.0.0.1", 0).remove()
    shutil.rmtree(directory, ignore_errors=True)


def _copy_server(source: Path, destination: Path) -> None:
    """A server's data may lie outside its folder (see `PgServer.data`): each copy gets a place of its own."""
    account = Account.for_server()
    destination.mkdir(parents=True, exist_ok=True)
    inside = reachable(destination, account)
    home = destination if inside else make_outside(destination, account)
    place = json.loads((source / PLACE).read_text(encoding="utf-8"))
    data = home / "data"
    shutil.copytree(place["data"], data, symlinks=True, ignore=shutil.ignore_patterns("postmaster.pid"))
    data.chmod(0o700)
    if account.switched:
        for path in (data, *data.rglob("*")):
            account.give(path)
    for other in source.iterdir():
        if other.is_file() and other.name not in {PLACE, "server.log"}:
            shutil.copy2(other, destination / other.name)
    (destination / PLACE).write_text(json.dumps({**place, "data": str(data)}), encoding="utf-8")
