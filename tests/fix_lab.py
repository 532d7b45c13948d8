"""Loopback blocks and whole labs for tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.client import LabClient, remove_state

BLOCKS = itertools.count()


def fresh_block() -> Addresses:
    """A block that no other test process uses: the process id says the middle, a counter the rest."""
    process = os.getpid()
    return Addresses(f"127.{16 + process // 8 % 230}.{process % 8 * 31 + next(BLOCKS) % 31 + 1}")


@pytest.fixture
def lab_block() -> Addresses:
    """Addresses for one test's own servers."""
    return fresh_block()


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., LabClient]]:
    """Starts labs (`start_lab(folder name, prefix=…, traffic=…)`); stopped and removed afterwards."""
    started: list[LabClient] = []

    def start(name: str = "lab", *, prefix: str | None = None, traffic: bool = False) -> LabClient:
        client = LabClient.start(tmp_path / name, prefix=prefix, traffic=traffic)
        started.append(client)
        return client

    yield start
    for client in started:
        client.stop()
        remove_state(client.directory)
