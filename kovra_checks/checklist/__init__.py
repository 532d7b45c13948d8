"""The checklist: every check id, from the guide's lines, and which of them a migration must be seen to pass."""

from __future__ import annotations

from kovra_checks.checklist.database import CHECKS as DATABASE
from kovra_checks.checklist.dns import CHECKS as DNS
from kovra_checks.checklist.platform import CHECKS as PLATFORM
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.checklist.web import CHECKS as WEB
from kovra_checks.migration import Migration
from kovra_checks.subjects import subjects

__all__ = ["CHECKLIST", "expected", "find"]

CHECKLIST: dict[str, CheckSpec] = {
    spec.id: spec for spec in sorted((*DATABASE, *DNS, *PLATFORM, *WEB), key=lambda spec: spec.id)
}


def find(check_id: str) -> CheckSpec | None:
    """The spec of *check_id* (without subject), or None."""
    return CHECKLIST.get(check_id)


def expected(migration: Migration, stage: str) -> tuple[str, ...]:
    """The full ids (`id[subject]`) that *stage* must report for *migration*, sorted."""
    return tuple(
        sorted(
            f"{spec.id}[{subject.id}]"
            for spec in CHECKLIST.values()
            if spec.implemented and stage in spec.stages
            for subject in subjects(spec.each, migration)
        )
    )
