"""Are the same objects on both sides, defined alike?"""

from __future__ import annotations

from kovra_checks.observations.postgres import Catalog
from kovra_checks.outcome import Finding

__all__ = ["matches"]

# Servers of different majors print the same query or expression differently: there only the presence counts.
PRINTED = (
    "view", "materialized-view", "rule", "function", "policy", "index", "constraint", "column", "trigger", "statistics",
)  # fmt: skip
SHOWN = 160


def matches(source: Catalog, target: Catalog) -> list[Finding]:
    """Objects missing, different or left over on the target, by name.

    An object that only the target has is a finding too: it is from another import, or the app made it there.
    """
    findings = [
        Finding(f"{name} on the target (missing) == source ({_short(source.objects[name])})", _remedy(name))
        for name in sorted(source.objects.keys() - target.objects.keys())
    ]
    findings += [
        Finding(f"{name} on the target ({_short(target.objects[name])}) == source (missing)")
        for name in sorted(target.objects.keys() - source.objects.keys())
    ]
    for name in sorted(source.objects.keys() & target.objects.keys()):
        here, there = source.objects[name], target.objects[name]
        if here != there and not _spelling(name, source, target):
            findings.append(
                Finding(f"{name} on the target ({_short(there)}) == source ({_short(here)})", _remedy(name))
            )
    return findings


def _spelling(name: str, source: Catalog, target: Catalog) -> bool:
    if source.major == target.major or name.partition(" ")[0] not in PRINTED:
        return False
    return source.objects[name].endswith(" invalid") == target.objects[name].endswith(" invalid")


def _remedy(name: str) -> str:
    return "Create the index on the target, or import again." if name.startswith("index ") else ""


def _short(definition: str) -> str:
    text = definition or "present"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
