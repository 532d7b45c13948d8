"""Environment variables: parity of both sides, and nothing that points back at the old side."""

from __future__ import annotations

from collections.abc import Iterator

from kovra_checks.migration import App
from kovra_checks.observations.platform import VariableSeen, VariableTable
from kovra_checks.outcome import Finding

__all__ = ["are_correct", "is_copied", "mention_no_old_host", "must_differ", "name_on_target", "parity"]

FILE = "apps.{app}.variables"


def name_on_target(app: App, name: str) -> str:
    """What the source's variable *name* is called on the target."""
    return app.variables.rename.get(name, name)


def must_differ(app: App, name: str) -> bool:
    """Whether a copied value would be wrong."""
    return bool({name, name_on_target(app, name)} & {*app.variables.must_differ, *app.databases})


def is_copied(app: App, name: str, origin: str) -> bool:
    """Whether the source's variable *name* is taken over as it is. What an add-on or the platform set is not."""
    rules = app.variables
    return (
        origin == "config"
        and name not in rules.retire
        and not must_differ(app, name)
        and name_on_target(app, name) not in rules.set
    )


def parity(table: VariableTable, app: App) -> list[Finding]:
    """Missing, different, platform-injected, unreadable and extra variables, in the order of their names.

    Variables of managed databases are left to `database-url-is-target`.
    """
    target = {variable.name: variable for variable in table.target}
    findings: list[tuple[str, Finding]] = []
    for variable in table.source:
        at = name_on_target(app, variable.name)
        if at in app.databases or variable.name in app.databases or variable.name in app.variables.retire:
            continue
        if at not in app.variables.set:
            findings += [(at, finding) for finding in _pair(app, variable, at, target.get(at))]
    for name, digest in sorted(table.given.items()):
        findings += [(name, finding) for finding in _given(app, name, digest, target.get(name))]
    findings += [(variable.name, _extra(app, variable.name)) for variable in _unexpected(table, app)]
    return [finding for _, finding in sorted(findings, key=lambda pair: pair[0])]


def mention_no_old_host(table: VariableTable, app: App) -> list[Finding]:
    """No variable on the target mentions a host of the source, or a name that resolves only inside its network."""
    findings: list[Finding] = []
    for variable in table.target:
        hosts = ", ".join((*variable.old_hosts, *variable.private_hosts))
        if hosts:
            findings.append(
                Finding(
                    f"old hosts in {variable.name} of {app.name} on the target ({hosts}) == none",
                    remedy=f"give the new value by reference in {FILE.format(app=app.name)}.set.{variable.name}, "
                    "copy again and deploy",
                )
            )
    return findings


def are_correct(table: VariableTable, app: App) -> list[Finding]:
    """Parity, and nothing that points at the old side."""
    return [*parity(table, app), *mention_no_old_host(table, app)]


def _pair(app: App, source: VariableSeen, at: str, target: VariableSeen | None) -> Iterator[Finding]:
    """What is wrong with one variable of the source and its counterpart, if anything."""
    if source.origin != "config" and not must_differ(app, source.name):
        yield from _injected(app, source, at, target)
    elif target is None:
        yield Finding(
            f"missing: {at} of {app.name} on the target (absent) == present as at the source",
            remedy=f"copy it, or say that it is not needed in {FILE.format(app=app.name)}.retire",
        )
    elif source.digest is None or target.digest is None:
        if not must_differ(app, source.name):
            yield _unreadable(app, at, "source" if source.digest is None else "target")
    elif must_differ(app, source.name) and source.digest == target.digest:
        yield Finding(
            f"must differ: {at} of {app.name} on the target (the source's value) != the source's value",
            remedy="the value belongs to the old side: set a new one on the target",
        )
    elif not must_differ(app, source.name) and source.digest != target.digest:
        yield Finding(
            f"different: {at} of {app.name} on the target (another value) == the source's value",
            remedy=f"copy it again, or give the value by reference in {FILE.format(app=app.name)}.set.{at}",
        )


def _injected(app: App, source: VariableSeen, at: str, target: VariableSeen | None) -> Iterator[Finding]:
    by = "an add-on" if source.origin == "addon" else "the source platform"
    if target is None:
        if source.origin == "addon":
            yield Finding(
                f"platform-injected: {at} of {app.name} on the target (absent) == a replacement of what {by} gave",
                remedy="run the service on Kovra Cloud and give its address in "
                f"{FILE.format(app=app.name)}.set.{at}, or name it in retire",
            )
    elif source.digest is not None and source.digest == target.digest:
        yield Finding(
            f"platform-injected: {at} of {app.name} on the target (copied from {by}) == set by the target or absent",
            remedy=f"remove it from the target: {by} sets it and it goes stale there",
        )


def _given(app: App, name: str, digest: str, target: VariableSeen | None) -> Iterator[Finding]:
    wanted = f"the value given in {FILE.format(app=app.name)}.set"
    if target is None:
        yield Finding(f"missing: {name} of {app.name} on the target (absent) == {wanted}")
    elif target.digest is None:
        yield _unreadable(app, name, "target")
    elif target.digest != digest:
        yield Finding(f"different: {name} of {app.name} on the target (another value) == {wanted}")


def _unreadable(app: App, name: str, side: str) -> Finding:
    return Finding(
        f"unreadable: value of {name} of {app.name} at the {side} (hidden by the platform) == readable",
        remedy=f"give the value by reference in {FILE.format(app=app.name)}.set.{name}; where Kovra hides it, "
        "compare by hand and waive the check",
    )


def _unexpected(table: VariableTable, app: App) -> list[VariableSeen]:
    expected = {name_on_target(app, variable.name) for variable in table.source}
    expected -= {name_on_target(app, name) for name in app.variables.retire}
    expected |= {*table.given, *app.databases, *app.variables.must_differ, *app.variables.target_only}
    return [one for one in table.target if one.origin == "config" and one.name not in expected]


def _extra(app: App, name: str) -> Finding:
    return Finding(
        f"extra: {name} of {app.name} on the target (present) == absent as at the source",
        remedy=f"remove it, or name it in {FILE.format(app=app.name)}.target_only",
    )
