"""Loopback blocks and whole labs for tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.client import LabClient, copy_state, remove_state

BLOCKS = itertools.count()


def fresh_block() -> Addresses:
    """A block that no other test process uses: the process id says the middle, a counter the rest."""
    process = os.getpid()
    return Addresses(f"127.{16 + process // 8 % 230}.{process % 8 * 31 + next(BLOCKS) % 31 + 1}")


@pytest.fixture
def lab_block() -> Addresses:
    """Addresses for one test's own servers."""
    return fresh_block()


@pytest.fixture(scope="session")
def seeded_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a stopped lab as it is before the move: copying it is faster than seeding another."""
    folder = tmp_path_factory.mktemp("seeded") / "lab"
    LabClient.start(folder, prefix=fresh_block().prefix, traffic=False).stop()
    yield folder
    remove_state(folder)


@pytest.fixture
def start_lab(tmp_path: Path, seeded_lab: Path) -> Iterator[Callable[..., LabClient]]:
    """Starts labs (`start_lab(folder name, prefix=…, traffic=…)`); stopped and removed afterwards.

    All of one test process have the same address block unless another prefix is given.
    """
    started: list[Path] = []
    clients: list[LabClient] = []

    def start(name: str = "lab", *, prefix: str | None = None, traffic: bool = False) -> LabClient:
        folder = tmp_path / name
        started.append(folder)
        if not folder.exists() and prefix is None:
            copy_state(seeded_lab, folder)
        clients.append(LabClient.start(folder, prefix=prefix, traffic=traffic))
        return clients[-1]

    yield start
    for client in clients:
        client.stop()
    for folder in started:
        remove_state(folder)
