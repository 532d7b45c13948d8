"""Keeps a lease alive while its holder works."""

from __future__ import annotations

import contextlib
import threading

from kovra_checks.errors import LedgerError
from kovra_checks.ledger import Lease, Ledger

__all__ = ["EVERY", "Heartbeat"]

EVERY = 5.0
"""Seconds between two beats; a lease lasts several of them."""


class Heartbeat:
    """A thread that renews *lease* until it is stopped. A lease that was taken over shows at the next write."""

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        self._ledger = ledger
        self._lease = lease
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; on return no beat is under way. Safe to call twice."""
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._end.wait(EVERY):
            with contextlib.suppress(LedgerError):  # the run's own next write meets the same fault, and tells it
                self._ledger.renew(self._lease)
