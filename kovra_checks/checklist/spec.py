"""The entry of the checklist: what is known of a check before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckSpec", "Severity"]

Severity = Literal["blocker", "critical", "normal"]


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check of the checklist.

    Attributes:
        id: Stable kebab-case id. Renaming one is a breaking change.
        title: What is true when it passes, as a short sentence.
        stages: The stage or stages whose gate it belongs to.
        each: Kind of subject (`kovra_checks.subjects`): one item per subject.
        guide: The item of the migration guide it proves, or `beyond the guide`.
        remedy: What to do when it fails, in one or two sentences.
        severity: `blocker` loses data or takes users down; `critical` breaks a function; `normal` needs doing.
        implemented: False for ids that are planned: listed in the docs, never expected, never passing.
    """

    id: str
    title: str
    stages: tuple[str, ...]
    each: str
    guide: str
    remedy: str
    severity: Severity = "blocker"
    implemented: bool = True
