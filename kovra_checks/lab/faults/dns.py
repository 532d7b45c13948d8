"""Faults of the dns family."""

from __future__ import annotations

from kovra_checks.lab.faults.base import Fault

__all__ = ["FAULTS"]

FAULTS: tuple[Fault, ...] = ()
