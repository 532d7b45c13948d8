"""The account a lab's PostgreSQL servers run as, and what it can reach.

PostgreSQL refuses to run as root. A rehearsal started by root (a container, a CI job) runs it as `postgres` or
`nobody`, which often may enter neither root's home (where the virtual environment may be) nor root's temporary folders.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kovra_checks.errors import CouldNotLook

__all__ = ["Account", "reachable", "runnable"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server.

    Attributes:
        uid: User id.
        gid: Group id.
        switched: Whether that is somebody else than this process.
    """

    uid: int
    gid: int
    switched: bool

    @classmethod
    def for_server(cls) -> Account:
        """This process's own account; for root, `postgres` or `nobody`. Raises CouldNotLook when there is neither."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), switched=False)
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, switched=True)
        raise CouldNotLook(
            "choose an account for PostgreSQL, which refuses to run as root",
            seen="this machine has neither the account postgres nor nobody",
            remedy="run the rehearsal as an ordinary user",
        )

    def arguments(self) -> dict[str, Any]:
        """For `subprocess`: the account, and a working folder and environment it can use."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "ICU_DATA") if name in os.environ}
        arguments: dict[str, Any] = {"env": {**kept, "LC_ALL": "C"}, "cwd": "/"}
        if self.switched:
            arguments |= {"user": self.uid, "group": self.gid, "extra_groups": ()}
        return arguments

    def give(self, path: Path) -> None:
        """Make *path* this account's own."""
        if self.switched:
            os.chown(path, self.uid, self.gid)


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may enter *path* and everything above it, judged by mode bits."""
    return not account.switched or all(_enters(folder, account) for folder in (path.resolve(), *path.resolve().parents))


def runnable(programs: Path, account: Account) -> Path:
    """*programs* (a `bin` folder), or a copy of its installation where the account can run it."""
    if reachable(programs, account):
        return programs
    installation = programs.resolve().parent
    newest = (programs / "postgres").stat()
    mark = hashlib.sha256(f"{installation}:{newest.st_size}:{newest.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = Path(tempfile.gettempdir()) / f"kovra-postgres-{mark}"
    if not (copy.is_dir() and copy.stat().st_uid == os.geteuid()):
        # Copied beside and renamed: a second lab starting now sees all of it or nothing.
        beside = Path(tempfile.mkdtemp(prefix="kovra-postgres-copy-"))
        shutil.copytree(installation, beside / "installation", symlinks=True)
        (beside / "installation").chmod(0o755)
        try:
            (beside / "installation").rename(copy)
        except OSError:
            if not copy.is_dir() or copy.stat().st_uid != os.geteuid():
                beside.chmod(0o755)
                return beside / "installation" / programs.name
        shutil.rmtree(beside, ignore_errors=True)
    return copy / programs.name


def _enters(folder: Path, account: Account) -> bool:
    seen = folder.stat()
    if seen.st_uid == account.uid:
        return bool(seen.st_mode & stat.S_IXUSR)
    if seen.st_gid == account.gid:
        return bool(seen.st_mode & stat.S_IXGRP)
    return bool(seen.st_mode & stat.S_IXOTH)
