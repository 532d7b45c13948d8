"""The lab's shop while its database sessions are being ended, as the fence does it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

from kovra_checks.lab.client import LabClient
from kovra_checks.lab.shop_data import ShopData

READERS = 16
ROUNDS = 25


def test_reads_survive_ended_sessions(start_lab: Callable[..., LabClient]) -> None:
    """However often all of its sessions are ended, idle or in use, no read fails: the reader is given a new one."""
    lab = start_lab()
    url = (lab.directory / "secrets" / "source-database-url").read_text(encoding="utf-8").strip()
    data = ShopData(url)
    data.start()
    over = threading.Event()
    failed: list[str] = []

    def read() -> None:
        while not over.is_set():
            try:
                data.products()
            except psycopg.Error as error:
                failed.append(f"{type(error).__name__}: {error}")

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    with psycopg.connect(url, autocommit=True) as owner:
        for _ in range(ROUNDS):
            owner.execute(
                "SELECT pg_terminate_backend(pid), pg_sleep(0.02) FROM pg_stat_activity WHERE application_name = 'shop'"
            )
    over.set()
    for reader in readers:
        reader.join()
    data.stop()
    assert failed == []
