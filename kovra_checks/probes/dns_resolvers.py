"""What the migration's recursive resolvers say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kovra_checks.access import Access
from kovra_checks.errors import CouldNotLook
from kovra_checks.observations.dns import (
    Answer,
    CaaAt,
    CaaSeen,
    RecordsSeen,
    Resolutions,
    ResolverView,
    ResolverViews,
    record_type,
    same_name,
    target_values,
)
from kovra_checks.probes.dns_lookup import ask, join_server, split_server

__all__ = ["ask_any_resolver", "caa_at", "resolver_views", "view_of"]


def ask_any_resolver(access: Access, name: str, kind: str) -> Answer:
    """The answer of the first resolver that gives one (NOERROR or NXDOMAIN).

    Raises CouldNotLook if none does, with what the last one said.
    """
    last: CouldNotLook | None = None
    for resolver in access.resolvers:
        try:
            answer = ask(resolver, name, kind, timeout=access.timeout, recurse=True)
        except CouldNotLook as error:
            last = error
            continue
        if answer.rcode in ("NOERROR", "NXDOMAIN"):
            return answer
        last = CouldNotLook(
            f"resolve {name} {kind} at {answer.server}",
            seen=answer.rcode,
            remedy="SERVFAIL often means that the zone's servers are down or its DNSSEC is broken: see them directly",
        )
    assert last is not None  # a migration has at least one resolver
    raise last


def view_of(resolver: str, name: str, *, timeout: float) -> ResolverView:
    """*name* as one resolver shows it. A resolver that cannot be seen is a view with an error, not an exception."""
    server = join_server(*split_server(resolver))
    try:
        answers = [ask(resolver, name, kind, timeout=timeout, recurse=True) for kind in ("A", "AAAA")]
    except CouldNotLook as error:
        return ResolverView(server, error=error.seen)
    records = [records for answer in answers for records in answer.records]
    failed = next((answer.rcode for answer in answers if answer.rcode != "NOERROR"), "NOERROR")
    return ResolverView(
        resolver=server,
        rcode=failed,
        chain=_chain(name, records),
        addresses=tuple(sorted({value for each in records if each.type in ("A", "AAAA") for value in each.values})),
        ttl=next((each.ttl for each in records if each.name == same_name(name)), None),
    )


def _chain(name: str, records: list[RecordsSeen]) -> tuple[str, ...]:
    aliases = {each.name: each.values[0] for each in records if each.type == "CNAME"}
    chain: list[str] = []
    while name in aliases and aliases[name] not in chain:
        name = aliases[name]
        chain.append(name)
    return tuple(chain)


def resolver_views(question: ResolverViews, access: Access) -> Resolutions:
    """All resolvers at once. An address stands for itself: nobody is asked."""
    resolvers = access.resolvers
    if record_type(question.name) != "CNAME":
        known = target_values(question.name)
        return Resolutions(question.name, tuple(ResolverView(each, "NOERROR", (), known) for each in resolvers))
    with ThreadPoolExecutor(max_workers=min(16, len(resolvers))) as pool:
        views = pool.map(lambda resolver: view_of(resolver, question.name, timeout=access.timeout), resolvers)
        return Resolutions(question.name, tuple(views))


def caa_at(question: CaaAt, access: Access) -> CaaSeen:
    """CAA of each name. Raises CouldNotLook where a resolver cannot tell: then no certificate can be issued either."""
    found = []
    for name in question.names:
        records = [each for each in ask_any_resolver(access, name, "CAA").records if each.type == "CAA"]
        if records:
            values = tuple(sorted(value for each in records for value in each.values))
            found.append(RecordsSeen(name, "CAA", min(each.ttl for each in records), values))
    return CaaSeen(tuple(found))
