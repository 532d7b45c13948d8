"""The ledger: an append-only, hash-chained record of runs, decisions and actions, with a lease for one runner."""

from kovra_checks.ledger.history import History
from kovra_checks.ledger.sqlite import Entry, Lease, Ledger

__all__ = ["Entry", "History", "Lease", "Ledger"]
