"""Remembers since when a TTL has been seen low: the only witness of a TTL that was lowered by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import LowSince, TtlHistory
from kovra_checks.probes.dns_zone import survey

__all__ = ["ttl_history"]


def ttl_history(question: TtlHistory, access: Access) -> LowSince:
    """Look now, and compare with what earlier looks left behind. Raises CouldNotLook if a server cannot be seen."""
    view = survey(access, question.zone, question.name)
    memory = access.work / f"ttl-low-{question.key()}.json"
    for server in view.servers:
        if server.error is not None:
            raise CouldNotLook(
                f"see the TTL of {question.name} at {server.server}",
                seen=server.error,
                remedy="see whether the server is up",
            )
    ttls = [records.ttl for server in view.servers for records in server.serving]
    if not ttls or max(ttls) > question.ceiling:
        memory.unlink(missing_ok=True)
        return LowSince(None)
    since = _remembered(memory)
    if since is None:
        since = datetime.now(UTC)
        _remember(memory, question, since)
    return LowSince(since)


def _remembered(memory: Path) -> datetime | None:
    """The earlier look. A file that cannot be read counts as none: waiting longer is the safe side."""
    try:
        return datetime.fromisoformat(json.loads(memory.read_text(encoding="utf-8"))["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(memory: Path, question: TtlHistory, since: datetime) -> None:
    text = json.dumps({**question.fields(), "since": since.isoformat()})
    fresh = memory.with_suffix(".new")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(memory)
    except OSError as error:
        raise CouldNotLook(
            f"remember since when the TTL of {question.name} is low",
            seen=f"{memory}: {error.strerror}",
            remedy="make the migration's work folder writable",
        ) from None
