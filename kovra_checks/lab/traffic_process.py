"""Traffic as a process of its own, so that its clients and the lab's servers do not share an interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kovra_checks.lab import setting
from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.traffic import Counters, Traffic, read_counters

__all__ = ["TrafficProcess", "run_traffic"]


class TrafficProcess:
    """Starts, holds and stops the traffic process of the lab in *directory*.

    It obeys lines on its standard input and ends with it, so it cannot outlive us.
    """

    def __init__(self, directory: Path, addresses: Addresses) -> None:
        self._directory = directory
        self._addresses = addresses
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it. Does nothing when it runs."""
        if self._process is not None:
            return
        command = [
            sys.executable, "-m", "kovra_checks.lab", "traffic", str(self._directory),
            "--prefix", self._addresses.prefix,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self) -> None:
        """End it after the requests in hand. Does nothing when stopped."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def hold(self) -> None:
        """Let no request begin; returns when those under way are over."""
        self._say("hold")

    def resume(self) -> None:
        """Let requests begin again."""
        self._say("resume")

    def counters(self) -> Counters:
        """The counters as they are now."""
        self._say("publish")
        return read_counters(self._directory)

    def _say(self, word: str) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
        process.stdout.readline()


def run_traffic(directory: Path, addresses: Addresses) -> None:
    """The process itself: clients until standard input ends; `hold`, `resume`, `publish` are answered with a line."""
    traffic = Traffic(
        directory,
        setting.DOMAIN,
        addresses.https_port,
        [addresses.server(each) for each in addresses.resolvers],
        directory / "ca.pem",
    )
    orders = {"hold": traffic.hold, "resume": traffic.resume, "publish": traffic.publish}
    traffic.start()
    try:
        for line in sys.stdin:
            orders[line.strip()]()
            sys.stdout.write("done\n")
            sys.stdout.flush()
    finally:
        traffic.stop()
