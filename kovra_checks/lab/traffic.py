"""Real traffic: clients that resolve, connect, read and write all the time, and write down what they met."""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import psycopg

from kovra_checks.lab.traffic_client import Answered, BrowsingClient
from kovra_checks.waiting import pause

__all__ = ["Counters", "Traffic", "lost_writes", "read_counters"]

SLOW = 2000.0  # milliseconds
READS = ("/", "/", "/", "/products", "/products", "/orders/1", "/orders/2", "/healthz/db")
GIVE_UP = 60.0  # seconds a deferred write is retried before it counts as failed


@dataclass(slots=True)
class Counters:
    """What all clients met so far.

    Attributes:
        failed: Requests that got no answer or a wrong one.
        slow: Requests that took longer than two seconds.
        writes_acknowledged: Orders answered 201.
        writes_deferred: Orders answered 503 with Retry-After at least once.
        longest_deferral_s: From the first attempt of an order to its acknowledgement, at worst, in seconds.
    """

    requests: int = 0
    failed: int = 0
    slow: int = 0
    writes_acknowledged: int = 0
    writes_deferred: int = 0
    longest_deferral_s: float = 0.0


def read_counters(directory: Path) -> Counters:
    """The counters in *directory* (`traffic.json`); zeros when there are none yet."""
    try:
        return Counters(**json.loads((directory / "traffic.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Counters()


class Traffic:
    """All clients of one lab.

    Args:
        directory: Where `traffic.jsonl`, `acknowledged.jsonl` and `traffic.json` go (appended to, continued).
        host: The shop's host name.
        port: Its HTTPS port.
        resolvers: Recursive resolvers, `address:port`; shared out among the clients.
        ca_file: Trust roots.
        clients: Number of client threads; every fourth one connects for each request, others keep connections.
        rate: Requests a second, of all clients together.
        write_share: Share of requests that are orders.
    """

    def __init__(
        self,
        directory: Path,
        host: str,
        port: int,
        resolvers: Sequence[str],
        ca_file: Path,
        *,
        clients: int = 20,
        rate: float = 150.0,
        write_share: float = 0.25,
    ) -> None:
        self._directory = directory
        self._gap = clients / rate
        self._write_share = write_share
        self._clients = [
            BrowsingClient(host, port, resolvers[number % len(resolvers)], ca_file, keep_alive=number % 4 != 3)
            for number in range(clients)
        ]
        self._run = secrets.token_hex(4)
        self._serial = itertools.count(1)
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._moving = threading.Event()
        self._moving.set()
        self._busy = 0
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._files: list[TextIO] = []
        self.counters = Counters()

    def start(self) -> None:
        """Open the files and start all clients."""
        self.counters = read_counters(self._directory)
        for name in ("traffic.jsonl", "acknowledged.jsonl"):
            self._files.append((self._directory / name).open("a", buffering=1, encoding="utf-8"))
        self._threads = [threading.Thread(target=self._browse, args=(each,), daemon=True) for each in self._clients]
        self._threads.append(threading.Thread(target=self._publish, daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all clients after the request in hand, and write the counters a last time."""
        self._ended.set()
        self._moving.set()
        while self._threads:
            self._threads.pop().join()
        self._write_counters()
        while self._files:
            self._files.pop().close()

    def publish(self) -> None:
        """Write the counters now."""
        self._write_counters()

    def hold(self) -> None:
        """Let no request begin, and return when those under way are over."""
        self._moving.clear()
        while self._busy:
            pause(0.005)

    def resume(self) -> None:
        """Let requests begin again."""
        self._moving.set()

    def _browse(self, client: BrowsingClient) -> None:
        pause(random.random() * self._gap)
        while not self._ended.is_set():
            began = time.monotonic()
            if random.random() < self._write_share:
                self._order(client)
            else:
                self._ask(client, "GET", random.choice(READS), None, "read")
            self._ended.wait(max(0.0, self._gap - (time.monotonic() - began)) * random.uniform(0.8, 1.2))
        client.close()

    def _ask(self, client: BrowsingClient, method: str, path: str, body: Any, kind: str) -> Answered:
        """One request, counted and written down; `kind` is `read`, `write` or `deferred`."""
        self._enter()
        try:
            answered = client.ask(method, path, body)
        finally:
            with self._lock:
                self._busy -= 1
        deferred = kind == "write" and answered.status == 503 and answered.retry_after is not None
        ok = deferred or (answered.error is None and answered.status == (201 if kind == "write" else 200))
        with self._lock:
            self.counters.requests += 1
            self.counters.failed += not ok
            self.counters.slow += answered.ms > SLOW
            line = {
                "t": round(answered.at, 4), "host": client.host, "method": method, "path": path,
                "status": answered.status, "ms": round(answered.ms, 2), "address": answered.address, "ok": ok,
                "error": answered.error, "kind": "deferred" if deferred else kind,
            }  # fmt: skip
            self._files[0].write(json.dumps(line) + "\n")
        return answered

    def _enter(self) -> None:
        """Wait while held, and count this request as under way in the same step."""
        while True:
            self._moving.wait()
            with self._lock:
                if self._moving.is_set():
                    self._busy += 1
                    return

    def _order(self, client: BrowsingClient) -> None:
        """Place one order; while it is deferred, try again with the same reference."""
        body = {"reference": f"{self._run}-{next(self._serial)}", "product_id": 1}
        began = time.monotonic()
        deferred = False
        while not self._ended.is_set():
            answered = self._ask(client, "POST", "/orders", body, "write")
            if answered.status == 201:
                self._acknowledged(body["reference"], time.monotonic() - began if deferred else 0.0)
                return
            if answered.status != 503 or answered.retry_after is None:
                return  # failed, and counted so
            with self._lock:
                self.counters.writes_deferred += not deferred
            deferred = True
            client.close()  # a deferred write looks the name up again: it may have moved
            if time.monotonic() - began > GIVE_UP:
                with self._lock:
                    self.counters.failed += 1
                return
            self._ended.wait(min(answered.retry_after, 1.0))

    def _acknowledged(self, reference: Any, waited: float) -> None:
        with self._lock:
            self.counters.writes_acknowledged += 1
            self.counters.longest_deferral_s = round(max(self.counters.longest_deferral_s, waited), 3)
            self._files[1].write(json.dumps({"t": round(time.time(), 4), "reference": reference}) + "\n")

    def _publish(self) -> None:
        while not self._ended.wait(0.5):
            self._write_counters()

    def _write_counters(self) -> None:
        with self._lock:
            text = json.dumps(asdict(self.counters))
        with self._publishing:
            draft = self._directory / f"traffic.json.{os.getpid()}"
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._directory / "traffic.json")


def lost_writes(directory: Path, urls: Mapping[str, str], *, since: float = 0.0) -> dict[str, list[str]]:
    """Acknowledged order references that each database does not hold, by the names in *urls* (name -> URL), sorted.

    Orders acknowledged from Unix time *since* on count. Nothing needs to be held: the log is read before the databases,
    and what is acknowledged is stored.

    What the move lost is what the target does not hold afterwards; before it, what the source does not hold.
    Raises psycopg.Error when a database cannot be read.
    """
    told = (directory / "acknowledged.jsonl").read_text(encoding="utf-8").splitlines()
    lines = (json.loads(line) for line in told if line.endswith("}"))
    acknowledged = {line["reference"] for line in lines if line["t"] >= since}
    missing: dict[str, list[str]] = {}
    for name, url in sorted(urls.items()):
        with psycopg.connect(url) as connection:
            held = {row[0] for row in connection.execute("SELECT reference FROM orders WHERE reference IS NOT NULL")}
        missing[name] = sorted(acknowledged - held)
    return missing
