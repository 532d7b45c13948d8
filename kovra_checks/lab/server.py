"""The lab's server process: one world, its control endpoint, and an end when its parent has gone."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.exchange import Request, Response, json_response, problem
from kovra_checks.lab.faults import FAULTS
from kovra_checks.lab.listener import Listener
from kovra_checks.lab.traffic import lost_writes
from kovra_checks.lab.world import World

__all__ = ["LabServer", "serve"]

READY = "lab.json"
ATTEMPTS = 20


class LabServer:
    """Runs a world and takes orders over HTTP on the control address.

    Args:
        directory: The lab's folder.
        control: The bound control socket; holding it makes the address block this lab's own.
        addresses: The block.
        traffic: Whether clients use the shop all the time.
    """

    def __init__(self, directory: Path, control: Listener, addresses: Addresses, *, traffic: bool = True) -> None:
        self.world = World(directory, addresses)
        self.ended = threading.Event()
        self._control = control
        self._with_traffic = traffic
        self._armed: list[str] = []
        self._injected: list[str] = []
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], Callable[[Any], Response]] = {
            ("GET", "/state"): self._state,
            ("GET", "/traffic"): self._traffic,
            ("POST", "/lost"): self._lost,
            ("POST", "/fault"): self._fault,
            ("POST", "/moment"): self._moment,
            ("POST", "/save"): self._save,
            ("POST", "/stop"): self._stop,
        }

    def run(self, parent: int | None) -> None:
        """Start, say so in `lab.json`, and return when told to stop or when *parent* has gone."""
        ready = self.world.directory / READY
        ready.unlink(missing_ok=True)
        try:
            self.world.start(traffic=self._with_traffic)
            self._control.answer = self._answer
            self._control.start()
            self._announce(ready)
            while not self.ended.wait(0.2):
                if parent is not None and not _alive(parent):
                    break
        finally:
            ready.unlink(missing_ok=True)
            self.world.stop()
            self._control.stop()

    def _announce(self, ready: Path) -> None:
        """Written aside and moved, so that a reader never sees half of it."""
        addresses = self.world.addresses
        told = {
            "prefix": addresses.prefix,
            "control": f"http://{addresses.control}:{addresses.control_port}",
            "pid": os.getpid(),
            "migration": "migration.toml",
        }
        draft = ready.with_suffix(".draft")
        draft.write_text(json.dumps(told), encoding="utf-8")
        draft.replace(ready)

    def _answer(self, _address: str, request: Request) -> Response:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return problem(404, f"no {request.method} {request.path}")
        asked = request.json() if request.body else {}
        if not isinstance(asked, dict):
            return problem(400, "the body must be a JSON object")
        with self._lock:  # one order at a time
            return route(asked)

    def _state(self, _asked: Any) -> Response:
        return json_response(
            200, {**self.world.describe(), "armed": sorted(self._armed), "injected": list(self._injected)}
        )

    def _traffic(self, _asked: Any) -> Response:
        return json_response(200, asdict(self.world.traffic.counters()))

    def _lost(self, asked: dict[str, Any]) -> Response:
        """Acknowledged orders (since Unix time `since`) that each database does not hold; None where there is none."""
        since = float(asked.get("since", 0))
        missing: dict[str, list[str] | None] = {}
        for name, url in self.world.database_urls().items():
            try:
                missing |= lost_writes(self.world.directory, {name: url}, since=since)
            except (FileNotFoundError, psycopg.Error):  # nothing was ever acknowledged, or not a shop's database yet
                missing[name] = None
        return json_response(200, missing)

    def _fault(self, asked: dict[str, Any]) -> Response:
        name = asked.get("name")
        if name not in FAULTS:
            return problem(404, f"no fault {name!r}; there are: {', '.join(FAULTS)}")
        self._armed.append(name)
        return json_response(200, {"armed": name})

    def _moment(self, asked: dict[str, Any]) -> Response:
        """Break now what was armed for this stage and moment; each fault once."""
        place = (asked.get("stage"), asked.get("moment"))
        due = [name for name in self._armed if (FAULTS[name].stage, FAULTS[name].moment) == place]
        for name in due:
            self._armed.remove(name)
            FAULTS[name].inject(self.world)
            self._injected.append(name)
        return json_response(200, {"injected": due})

    def _save(self, asked: dict[str, Any]) -> Response:
        to = asked.get("to")
        self.world.save(None if to is None else Path(to))
        return json_response(200, {"saved": to})

    def _stop(self, _asked: Any) -> Response:
        self.ended.set()
        return json_response(200, {"stopping": True})


def serve(directory: Path, *, prefix: str | None = None, parent: int | None = None, traffic: bool = True) -> None:
    """Run a lab in *directory* until it is told to stop. Raises OSError when its address block is in use."""
    directory.mkdir(parents=True, exist_ok=True)
    control, addresses = _claim(World.saved_prefix(directory) if prefix is None else prefix)
    server = LabServer(directory.resolve(), control, addresses, traffic=traffic)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.ended.set())
    server.run(parent)


def _claim(prefix: str | None) -> tuple[Listener, Addresses]:
    """Bind the control address of the block, or of a free block picked at random."""
    attempts = 1 if prefix is not None else ATTEMPTS
    for attempt in range(1, attempts + 1):
        addresses = Addresses(
            prefix if prefix is not None else f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        )
        try:
            return Listener(addresses.control, addresses.control_port, _not_ready), addresses
        except OSError:
            if attempt == attempts:
                raise
    raise AssertionError(attempts)


def _not_ready(_address: str, _request: Request) -> Response:
    return problem(503, "starting")


def _alive(process: int) -> bool:
    """Whether the parent lives. For our own parent the kernel tells at once, even while it is a zombie."""
    if os.getppid() == process:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
