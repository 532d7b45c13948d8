"""The traffic watch: steady reads of each domain while it moves, by its name, as its users' resolvers see it.

The engine runs it as a process of its own during the cutover (`TrafficWatcher`), so that neither a busy nor a crashed
session leaves a gap: `python -m kovra_checks.watch SETTINGS_JSON`. It ends on SIGTERM, when its parent is gone, or
after its longest time. What it writes is described in docs/traffic-log.md.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.routes import Place, by_name
from kovra_checks.observations.traffic import TrafficLine
from kovra_checks.outcome import adapter
from kovra_checks.probes.exchange import Outgoing, exchange
from kovra_checks.probes.net import Resolved, look_up
from kovra_checks.probes.traffic import ANSWERERS, WATCH_LOG, lines
from kovra_checks.waiting import wait_for

__all__ = ["ANSWERERS", "TrafficWatcher", "WatchSettings", "main", "settings_for"]

MOST_THREADS = 256
MOST_THREADS_PER_DOMAIN = 16
PARENT_LOOK = 1.0  # seconds between looks whether the parent lives


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What the process is told.

    Attributes:
        places: What to read, each by its name.
        paths: Paths, asked in turns.
        rate: Requests a second to each place.
        resolvers: Recursive resolvers; threads use different ones, as users do.
        timeout: Seconds for a look-up, and for each phase of a request.
        log: File that lines are appended to.
        parent: Process id; when it is not the parent any more the watch ends.
        longest: Seconds after which it ends anyway.
        ca_file: Extra trust roots, or None.
    """

    places: tuple[Place, ...]
    paths: tuple[str, ...]
    rate: float
    resolvers: tuple[str, ...]
    timeout: float
    log: str
    parent: int
    longest: float
    ca_file: str | None = None


def settings_for(access: Access) -> WatchSettings:
    """The watch of a migration, started by this process."""
    migration, policy = access.migration, access.migration.policy
    longest = policy.watch_window + policy.propagation_deadline + 4 * policy.action_deadline + policy.patience
    return WatchSettings(
        places=tuple(by_name(domain) for domain in migration.domains),
        paths=migration.watch.paths,
        rate=migration.watch.rate,
        resolvers=access.resolvers,
        timeout=access.timeout,
        log=str(access.work / WATCH_LOG),
        parent=os.getpid(),
        longest=longest.total_seconds(),
        ca_file=None if access.ca_file is None else str(access.ca_file),
    )


class TrafficWatcher:
    """Runs the watch beside a stage. A new start begins a new log; the one before is kept under its time."""

    def __init__(self, access: Access) -> None:
        self._settings = settings_for(access)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once every domain has been asked. Raises CouldNotLook if that does not happen."""
        log = Path(self._settings.log)
        if self._process is not None or not self._settings.places:
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists():
            log.rename(log.with_name(f"watch-{int(log.stat().st_mtime * 1000)}.jsonl"))
        settings = log.with_suffix(".json")
        settings.write_text(json.dumps(asdict(self._settings)), encoding="utf-8")
        with log.with_suffix(".stderr").open("wb") as errors:
            command = [sys.executable, "-m", "kovra_checks.watch", str(settings)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        if wait_for(self._asked_all, deadline=20 + 2 * self._settings.timeout, every=0.05) is not True:
            self.stop()
            said = log.with_suffix(".stderr").read_text(encoding="utf-8", errors="replace").strip()
            raise CouldNotLook(
                "start the traffic watch",
                seen=said.rpartition("\n")[2] or "no request came to an end in time",
                remedy="see that the domains' names resolve at the configured resolvers, and that ca_file can be read",
            )

    def _asked_all(self) -> bool | None:
        """True when every host has a line; False when the process has ended."""
        if self._process is None or self._process.poll() is not None:
            return False
        log = Path(self._settings.log)
        asked = {line.host for line in lines(log)} if log.exists() else set()
        return True if asked >= {place.host for place in self._settings.places} else None

    def stop(self) -> None:
        """End the process after the requests under way. Does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(2 * self._settings.timeout + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class _Names:
    """A user's stub resolver: one resolver, the next one if it fails, and a cache that keeps to the TTL."""

    def __init__(self, resolvers: Sequence[str], first: int, timeout: float) -> None:
        self._resolvers = [resolvers[(first + step) % len(resolvers)] for step in range(len(resolvers))]
        self._timeout = timeout
        self._known = Resolved((), 0)
        self._until = 0.0

    def address(self, name: str) -> str:
        """One of the addresses. Raises CouldNotLook when there is none."""
        if time.monotonic() >= self._until:
            self._known = self._look(name)
            self._until = time.monotonic() + self._known.ttl
        if not self._known.addresses:
            raise CouldNotLook(f"look up {name}", seen="the name has no address", remedy="see its records")
        return random.choice(self._known.addresses)  # noqa: S311 - spreads load; nothing is secret

    def _look(self, name: str) -> Resolved:
        for resolver in self._resolvers[:-1]:
            try:
                return look_up(name, resolver, self._timeout)
            except CouldNotLook:
                continue  # another resolver may know: only when all fail has the user no answer
        return look_up(name, self._resolvers[-1], self._timeout)


class _Watch:
    """The threads that ask and the file they write."""

    def __init__(self, settings: WatchSettings, file: TextIO) -> None:
        self._settings = settings
        self._file = file
        self._lock = threading.Lock()
        self._trust = ssl.create_default_context()
        if settings.ca_file is not None:
            self._trust.load_verify_locations(cafile=settings.ca_file)
        self.ended = threading.Event()

    def run(self) -> None:
        """Ask until `ended` is set, the parent is gone, or the longest time is over."""
        settings = self._settings
        share = max(1, MOST_THREADS // len(settings.places))
        count = max(1, min(MOST_THREADS_PER_DOMAIN, share, math.ceil(settings.rate)))
        threads = [
            threading.Thread(target=self._ask_on, args=(place, number, count))
            for place in settings.places
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        end = time.monotonic() + settings.longest
        while not self.ended.wait(PARENT_LOOK):
            if os.getppid() != settings.parent or time.monotonic() > end:
                self.ended.set()
        for thread in threads:
            thread.join()

    def _ask_on(self, place: Place, number: int, count: int) -> None:
        """Every *count*-th request to *place*, at its moments; moments missed by a slow answer are let go."""
        settings = self._settings
        names = _Names(settings.resolvers, number, settings.timeout)
        began, gap, turn = time.monotonic(), count / settings.rate, 0
        while not self.ended.wait(max(0.0, began + number / settings.rate + turn * gap - time.monotonic())):
            self._write(self._ask(place, settings.paths[(number + turn * count) % len(settings.paths)], names))
            turn = max(turn + 1, math.floor((time.monotonic() - began) / gap - number / count))

    def _ask(self, place: Place, path: str, names: _Names) -> TrafficLine:
        t, started, address = time.time(), time.perf_counter(), None
        status, error = None, None
        try:
            address = names.address(place.host)
            answer = exchange(place, address, Outgoing(path), self._trust, self._settings.timeout)
            status, error = answer.status, answer.error
        except CouldNotLook as problem:
            error = f"{problem.tried}: {problem.seen}"
        return TrafficLine(
            t=round(t, 4),
            host=place.host,
            ok=error is None and status is not None and status < 400,
            path=path,
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 2),
            address=address,
            error=error,
        )

    def _write(self, line: TrafficLine) -> None:
        with self._lock:
            self._file.write(json.dumps(asdict(line)) + "\n")
            self._file.flush()


def main(arguments: Sequence[str]) -> int:
    """Run the watch as the settings file in *arguments* says, until told to end."""
    settings = adapter(WatchSettings).validate_json(Path(arguments[0]).read_bytes())
    with Path(settings.log).open("a", encoding="utf-8") as file:
        watch = _Watch(settings, file)

        def end(_signal: int, _frame: FrameType | None) -> None:
            watch.ended.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's; it then ends us in its own time
        watch.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
