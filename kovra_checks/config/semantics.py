"""What no single field can tell: references between tables, names of checks, settings that contradict each other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from kovra_checks.checklist import CHECKLIST
from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.config.dns import domain_troubles
from kovra_checks.config.problems import KeyPath, Trouble, did_you_mean, shown
from kovra_checks.migration import App, Migration
from kovra_checks.subjects import subjects

__all__ = ["across"]

_READS = re.compile(r"(?is)^\s*(?:--[^\n]*\n\s*)*(?:select|with|values|table)\b[^;]*;?\s*$")
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,#?L-]+")
_CRON_WORD = re.compile(r"@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)")
_WAIVED = re.compile(r"(?P<id>[^\[\]]+)(?:\[(?P<subject>.+)\])?")


@dataclass(frozen=True, slots=True)
class _Parts:
    """A migration (possibly in part), with the file's data for what validation dropped."""

    migration: Migration
    data: Mapping[str, Any]
    whole: bool
    checks: Mapping[str, CheckSpec]

    def names(self, table: str) -> Collection[str]:
        """The keys of *table* in the file, valid or not: a reference to a broken table is no second error."""
        value = self.data.get(table)
        return value.keys() if isinstance(value, dict) else ()


def across(
    migration: Migration, data: Mapping[str, Any], *, whole: bool, checks: Mapping[str, CheckSpec] = CHECKLIST
) -> list[Trouble]:
    """Everything that is wrong between the tables of *migration*, which was read from *data*.

    Args:
        migration: The valid parts.
        data: The file, with tables keyed by name.
        whole: Whether *migration* is all of *data*; subjects of waivers are compared only then.
        checks: The checklist.
    """
    parts = _Parts(migration, data, whole, checks)
    return [trouble for rule in _RULES for trouble in rule(parts)]


def _reference(parts: _Parts, path: KeyPath, name: str | None, table: str) -> Iterator[Trouble]:
    known = parts.names(table)
    if name is None or name in known or name in {key.rstrip(".").lower() for key in known}:
        return
    there = f"Known: {', '.join(sorted(known))}" if known else f"There is no [{table}] at all"
    yield Trouble(path, f'there is no {table} entry "{name}"', f"{did_you_mean(name, known)}{there}")


def _references(parts: _Parts) -> Iterator[Trouble]:
    migration = parts.migration
    for app in migration.apps:
        for variable, database in app.databases.items():
            yield from _reference(parts, ("apps", app.name, "databases", variable), database, "databases")
    for domain in migration.domains:
        yield from _reference(parts, ("domains", domain.name, "app"), domain.app, "apps")
        yield from _reference(parts, ("domains", domain.name, "provider"), domain.provider, "dns_providers")
    for integration in migration.integrations:
        yield from _reference(parts, ("integrations", integration.name, "app"), integration.app, "apps")
        yield from _reference(parts, ("integrations", integration.name, "domain"), integration.domain, "domains")
    for job in migration.jobs:
        yield from _reference(parts, ("jobs", job.name, "app"), job.app, "apps")


def _something_to_move(parts: _Parts) -> Iterator[Trouble]:
    for table in ("apps", "databases"):
        if parts.data.get(table) == {}:
            yield Trouble((table,), "an empty table", f"add [{table}.<name>] or remove the table")


def _domains(parts: _Parts) -> Iterator[Trouble]:
    yield from domain_troubles(parts.migration.domains, parts.names("domains"))


def _owners(parts: _Parts) -> Iterator[Trouble]:
    apps = {domain.name: domain.app for domain in parts.migration.domains}
    for one in parts.migration.integrations:
        if apps.get(one.domain, one.app) != one.app:
            seen = f'app "{one.app}", but {one.domain} belongs to app "{apps[one.domain]}"'
            yield Trouble(("integrations", one.name, "app"), seen, "name the app that answers at that domain")


def _providers(parts: _Parts) -> Iterator[Trouble]:
    for provider in parts.migration.dns_providers:
        for key in ("server", "key_name", "key_secret") if provider.kind == "rfc2136" else ():
            if getattr(provider, key) is None:
                remedy = f"add `{key} = …`: RFC 2136 updates go to one server, signed with a TSIG key"
                yield Trouble(("dns_providers", provider.name, key), "missing for an rfc2136 provider", remedy)


def _databases(parts: _Parts) -> Iterator[Trouble]:
    for database in parts.migration.databases:
        path = ("databases", database.name)
        if database.target_url == database.source_url:
            remedy = "the import would write into the source: name the target's own URL, or leave it to Kovra's API"
            yield Trouble((*path, "target_url"), "the same reference as source_url", remedy)
        for name, sql in database.critical_queries.items():
            if not _READS.match(sql):
                remedy = "write one SELECT (or WITH, VALUES, TABLE): it runs on both sides and must change neither"
                yield Trouble((*path, "critical_queries", name), f"found {shown(sql)}", remedy)
    yield from _twice(
        ((("databases", one.name, "target"), one.target_name) for one in parts.migration.databases), "managed database"
    )


def _apps(parts: _Parts) -> Iterator[Trouble]:
    for app in parts.migration.apps:
        yield from _variables(app)
        for smoke in app.smoke:
            for index, pattern in enumerate(smoke.ignore):
                try:
                    re.compile(pattern)
                except re.error as error:
                    path = ("apps", app.name, "smoke", smoke.name, "ignore", index)
                    yield Trouble(path, f"found {shown(pattern)}: {error}", "write a Python regular expression")
    yield from _twice(((("apps", one.name, "target"), one.target_name) for one in parts.migration.apps), "application")


def _variables(app: App) -> Iterator[Trouble]:
    rules, path = app.variables, ("apps", app.name, "variables")
    for name in sorted(set(rules.retire) & {*rules.set, *rules.rename, *rules.target_only, *app.databases}):
        seen = f"{name} is to be retired and yet has a value on the target"
        yield Trouble((*path, "retire"), seen, "remove it from one of the two")
    yield from _twice((((*path, "rename", old), new) for old, new in rules.rename.items()), "variable")


def _jobs(parts: _Parts) -> Iterator[Trouble]:
    for job in parts.migration.jobs:
        fields = job.schedule.split()
        if not (len(fields) == 5 and all(map(_CRON_FIELD.fullmatch, fields))) and not _CRON_WORD.fullmatch(
            job.schedule
        ):
            remedy = 'write five cron fields: minute hour day month weekday, e.g. "30 3 * * *"'
            yield Trouble(("jobs", job.name, "schedule"), f"found {shown(job.schedule)}", remedy)
        if not _is_zone(job.timezone) and (zones := available_timezones()):
            remedy = f'{did_you_mean(job.timezone, zones)}Write an IANA time zone, e.g. "Europe/Berlin"'
            yield Trouble(("jobs", job.name, "timezone"), f"found {shown(job.timezone)}", remedy)
    yield from _twice(
        (
            (("jobs", one.name, "command"), f"{one.app}: {one.command} at {one.schedule}")
            for one in parts.migration.jobs
        ),
        "job",
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _twice(named: Iterable[tuple[KeyPath, str]], kind: str) -> Iterator[Trouble]:
    """The second and further places that claim the same thing."""
    first: dict[str, KeyPath] = {}
    for path, name in named:
        if name in first:
            owner = first[name][1] if len(path) == 3 else first[name][-1]
            yield Trouble(path, f'{kind} "{name}" is claimed by {owner} already', "let each have its own")
        first.setdefault(name, path)


def _waivers(parts: _Parts) -> Iterator[Trouble]:
    waivers = parts.data.get("waivers")
    named: list[tuple[KeyPath, str]] = []
    for index, waiver in enumerate(waivers if isinstance(waivers, list) else ()):
        check = waiver.get("check") if isinstance(waiver, dict) else None
        if not isinstance(check, str):
            continue  # told by the field's own validation
        path = ("waivers", index, "check")
        if any(check == other for _, other in named):
            yield Trouble(path, f"{check} is waived twice", "keep one waiver with one date")
        named.append((path, check))
        yield from _waived(parts, path, check)


def _waived(parts: _Parts, path: KeyPath, check: str) -> Iterator[Trouble]:
    match = _WAIVED.fullmatch(check)
    spec = None if match is None else parts.checks.get(match["id"])
    if match is None or spec is None:
        guess = did_you_mean(check.partition("[")[0], parts.checks)
        if match is None or guess:  # an id like no other may be a check of the user's own, which is not known here
            yield Trouble(path, f'there is no check "{check}"', f"{guess}`kovra-checks checks` lists them")
    elif parts.whole and match["subject"] is not None:
        known = [subject.id for subject in subjects(spec.each, parts.migration)]
        if match["subject"] not in known:
            there = f"{spec.id} is about {', '.join(known) or 'nothing in this migration'}"
            yield Trouble(path, f'{spec.id} has no subject "{match["subject"]}"',
                          f"{did_you_mean(match['subject'], known)}{there}")  # fmt: skip


def _tokens(parts: _Parts) -> Iterator[Trouble]:
    migration = parts.migration
    for side in ("source", "target"):
        system = getattr(migration, side, None)
        if system is None or system.token is None:
            continue
        for key in ("api_url", "data_api_url"):
            url = getattr(system, key, None)
            if url is not None and url.startswith("http://") and not _is_loopback(url):
                yield Trouble((side, key), f"found {shown(url)}", "use https: the token would travel unencrypted")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _policy(parts: _Parts) -> Iterator[Trouble]:
    policy = parts.migration.policy
    if policy.probe_timeout.total_seconds() <= 0:
        yield Trouble(("policy", "probe_timeout"), "no time at all", 'write a duration above zero, e.g. "10s"')
    if policy.restored_ttl < policy.low_ttl:
        seen = f"restored_ttl ({policy.restored_ttl}) >= low_ttl ({policy.low_ttl}) does not hold"
        yield Trouble(("policy", "restored_ttl"), seen, "the TTL is lowered for the cutover and raised again after it")


_RULES: Final[tuple[Callable[[_Parts], Iterable[Trouble]], ...]] = (
    _something_to_move, _references, _owners, _domains, _providers, _databases, _apps, _jobs, _waivers, _tokens,
    _policy,
)  # fmt: skip
