"""The error tree: every error carries what was tried, what was seen and what to do."""

from __future__ import annotations

__all__ = [
    "ActionFailed",
    "ConfigError",
    "CouldNotLook",
    "EvidenceError",
    "KovraChecksError",
    "LeaseHeld",
    "LedgerError",
    "UnsafePlan",
]


class KovraChecksError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        tried: What was attempted, in words an operator recognises.
        seen: What happened instead. Never holds a secret value.
        remedy: What to do now.
    """

    def __init__(self, tried: str, *, seen: str, remedy: str) -> None:
        super().__init__(tried, seen, remedy)
        self.tried = tried
        self.seen = seen
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.tried}: {self.seen}. {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        """Keyword-only arguments do not survive the default pickling between processes."""
        return (_rebuild, (type(self), self.tried, self.seen, self.remedy))


def _rebuild(kind: type[KovraChecksError], tried: str, seen: str, remedy: str) -> KovraChecksError:
    return kind(tried, seen=seen, remedy=remedy)


class ConfigError(KovraChecksError):
    """The migration file cannot be used; nothing has been contacted."""


class CouldNotLook(KovraChecksError):
    """A probe could not see the system it asked: the check is *broken*, neither passed nor failed."""


class ActionFailed(KovraChecksError):
    """An action ended without its effect; the ledger says what was done before."""


class UnsafePlan(KovraChecksError):
    """A plan would touch more than is configured, or is not the plan that was reviewed."""


class EvidenceError(KovraChecksError):
    """The evidence or the verdict on disk is not what was sealed, or cannot be read; nothing is judged from it."""


class LedgerError(KovraChecksError):
    """The ledger is damaged, of another version, or cannot be written."""


class LeaseHeld(LedgerError):
    """Another runner works on this migration."""
