"""The lab as the rehearsal's entry sees it: a process to start, to tell of moments, to save and to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from kovra_checks.errors import ActionFailed
from kovra_checks.lab.copying import copy_state, remove_state
from kovra_checks.lab.traffic import Counters
from kovra_checks.waiting import wait_for

__all__ = ["LabClient", "copy_state", "remove_state"]

START = 30.0  # seconds; about three are usual


class LabClient:
    """One running lab. Made with `start`, it ends with this process at the latest; with `attach`, it is another's.

    Attributes:
        directory: The lab's folder.
        prefix: Its loopback block.
        migration: The path of its migration.toml.
    """

    def __init__(self, directory: Path, process: subprocess.Popen[bytes] | None, told: dict[str, Any]) -> None:
        self.directory = directory
        self.prefix: str = told["prefix"]
        self.migration = directory / str(told["migration"])
        self._process = process
        self._http = httpx.Client(base_url=told["control"], timeout=60, trust_env=False)

    @classmethod
    def start(cls, directory: Path, *, prefix: str | None = None, traffic: bool = True) -> LabClient:
        """Start a lab in *directory* (from saved state, if there is any) and wait until it is ready.

        Raises ActionFailed with the end of its log when it does not come up.
        """
        directory.mkdir(parents=True, exist_ok=True)
        ready = directory / "lab.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "kovra_checks.lab", "serve", str(directory), "--parent", str(os.getpid())]
        command += [] if prefix is None else ["--prefix", prefix]
        command += [] if traffic else ["--no-traffic"]
        log = directory / "lab.log"
        with log.open("wb") as output:  # a session of its own: Ctrl-C is for the run, which then stops the lab
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        wait_for(lambda: ready.exists() or process.poll() is not None or None, deadline=START, every=0.02)
        if not ready.exists():
            process.kill()
            process.wait()
            tail = " | ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
            raise ActionFailed("start the lab", seen=tail or "no word from it", remedy=f"see {log}")
        return cls(directory, process, json.loads(ready.read_text(encoding="utf-8")))

    @classmethod
    def attach(cls, directory: Path) -> LabClient | None:
        """The lab that runs in *directory*, or None. `stop` then leaves it running."""
        try:
            told = json.loads((directory / "lab.json").read_text(encoding="utf-8"))
            os.kill(told["pid"], 0)
        except (FileNotFoundError, ProcessLookupError):
            return None
        return cls(directory, None, told)

    def moment(self, stage: str, moment: str) -> tuple[str, ...]:
        """Tell that the run reached *moment* of *stage*; returns the faults that were injected now."""
        return tuple(self._order("POST", "/moment", {"stage": stage, "moment": moment})["injected"])

    def arm(self, fault: str) -> None:
        """Have *fault* injected at its stage and moment. Raises ActionFailed when there is none of that name."""
        self._order("POST", "/fault", {"name": fault})

    def state(self) -> dict[str, Any]:
        """What the lab says of itself."""
        return self._order("GET", "/state")

    def traffic(self) -> Counters:
        """The traffic's counters."""
        return Counters(**self._order("GET", "/traffic"))

    def lost(self, since: float = 0.0) -> dict[str, list[str] | None]:
        """Orders acknowledged from Unix time *since* on that the `source` and the `target` database do not hold.

        None where there is no such database or no table yet.
        """
        return self._order("POST", "/lost", {"since": since})

    def save(self, to: Path | None = None) -> None:
        """Write the whole state to the lab's folder, and copy that to *to*. Traffic is held meanwhile."""
        self._order("POST", "/save", {} if to is None else {"to": str(to.resolve())})

    def stop(self) -> None:
        """Stop a lab that was started here; wait until its processes are gone. It can be started again. Idempotent."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._http.close()

    def _order(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ActionFailed(
                f"{method} {path} of the lab", seen=str(error), remedy=f"see {self.directory / 'lab.log'}"
            ) from error
        told: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            raise ActionFailed(
                f"{method} {path} of the lab", seen=f"status ({answer.status_code}) == 200: {told.get('error')}",
                remedy="`kovra-checks faults` lists what can break",
            )  # fmt: skip
        return told
