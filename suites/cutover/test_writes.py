"""Writes in the cutover: refused at the source, and none of them lost."""

from kovra_checks import Check, Database, check
from kovra_checks.observations import postgres
from kovra_checks.observations.ledger import ActionFacts
from kovra_checks.rules import fence


@check("writes-are-fenced")
def test_writes_are_fenced(database: Database) -> Check:
    state, fenced = postgres.FenceState(database.name), ActionFacts(f"fence-writes[{database.name}]")
    return Check(
        (state, fenced), lambda seen: fence.writes_are_fenced(database.write_strategy, seen[state], seen[fenced])
    )


@check("nothing-was-lost")
def test_nothing_was_lost(database: Database) -> Check:
    synced = ActionFacts(f"final-sync[{database.name}]")
    source, target = postgres.RowCountsOf(database.name, "source"), postgres.RowCountsOf(database.name, "target")
    at_source = postgres.SequencePositionsOf(database.name, "source")
    on_target = postgres.SequencePositionsOf(database.name, "target")
    return Check(
        (synced, source, target, at_source, on_target),
        lambda seen: fence.nothing_was_lost(seen[synced], seen[source], seen[target], seen[at_source], seen[on_target]),
    )
