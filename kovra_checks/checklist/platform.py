"""The checklist's platform family."""

from __future__ import annotations

from kovra_checks.checklist.spec import CheckSpec

__all__ = ["CHECKS"]

CHECKS: tuple[CheckSpec, ...] = ()
