"""The move by dump and restore, between real servers, and the probes that compare the two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from fix_platforms import record
from fix_postgres import SOURCE_PASSWORD, TARGET_PASSWORD, Pair

from kovra_checks.access import Access
from kovra_checks.actions.base import Action
from kovra_checks.actions.database import ExportDatabase, FenceWrites, FinalSync, ImportDatabase, actions
from kovra_checks.database.observe import ANSWERERS
from kovra_checks.database.tools import find_tools
from kovra_checks.errors import ActionFailed, CouldNotLook, UnsafePlan
from kovra_checks.observations import postgres
from kovra_checks.observations.ledger import AppliedAction
from kovra_checks.outcome import adapter
from kovra_checks.rules import database, fence, rows, schema, sequences


def ask(access: Access, question: Any) -> Any:
    """Put one question, and take the answer through JSON as the engine does."""
    answer = ANSWERERS[type(question)](question, access)
    kind = adapter(question.answer_type)
    return kind.validate_python(kind.dump_python(answer, mode="json"))


def perform(access: Access, pair: Pair, action: Action) -> Mapping[str, Any]:
    """Plan, apply, verify and record an action, as the engine does. Returns its facts."""
    said: list[str] = []
    facts = action.apply(access, action.plan(access), said.append)
    assert list(action.verify(access, facts)) == []
    name = f"{action.name}[{action.subject}]"
    pair.platforms.ledger.records[name] = record(name, datetime.now(UTC).isoformat(), facts)
    text = "\n".join(said) + repr(facts)
    assert not any(secret in text for secret in (SOURCE_PASSWORD, TARGET_PASSWORD))
    return facts


def applied(pair: Pair, name: str) -> AppliedAction:
    """The action's record as a rule sees it."""
    found = pair.platforms.ledger.applied(name)
    return AppliedAction(applied=False) if found is None else AppliedAction(applied=True, facts=dict(found.facts))


def both(access: Access, question: Any, **fields: Any) -> tuple[Any, Any]:
    """The same question to source and target."""
    source, target = (ask(access, question("main", side, **fields)) for side in ("source", "target"))
    return source, target


NOT_APPLIED = AppliedAction(applied=False)


def test_shop_is_moved_and_every_rule_agrees(shop_pair: Pair) -> None:
    """Export and import of the whole shop leave both sides equal in all that is compared, also the second time."""
    access = shop_pair.access()
    for _ in range(2):
        perform(access, shop_pair, ExportDatabase("main"))
        perform(access, shop_pair, ImportDatabase("main"))
    exported, imported = (applied(shop_pair, f"{name}-database[main]") for name in ("export", "import"))
    catalogs = both(access, postgres.CatalogOf)
    counts = both(access, postgres.RowCountsOf)
    servers = both(access, postgres.ServerFacts)
    assert len(catalogs[0].objects) > 150
    assert schema.matches(*catalogs) == []
    assert rows.counts_match(exported, NOT_APPLIED, *counts) == []
    assert rows.counts_match(NOT_APPLIED, NOT_APPLIED, *counts) == []
    assert sum(counts[1].tables.values()) > 90_000
    assert sequences.are_ahead(exported, NOT_APPLIED, *both(access, postgres.SequencePositionsOf)) == []
    assert rows.large_objects_match(exported, NOT_APPLIED, *both(access, postgres.LargeObjectsOf)) == []
    assert database.extensions_match(*servers) == database.settings_match(*servers) == []
    assert database.statistics_are_fresh(ask(access, postgres.StatisticsOf("main")), counts[1]) == []
    assert database.import_is_clean(exported, imported, catalogs[1]) == []
    assert database.export_is_clean(exported, ask(access, postgres.BackupsOf("main"))) == []
    for name, text in access.migration.database("main").critical_queries.items():
        answers = both(access, postgres.CriticalQueryAnswer, query=name, sql=text)
        assert rows.answers_match(name, exported, NOT_APPLIED, *answers) == []
    assert servers[1].tls
    assert not servers[0].tls
    assert [extension.name for extension in servers[1].extensions] == ["btree_gist", "citext"]
    assert imported.facts["settings"] == []


def test_target_is_compared_with_the_moment_of_the_export(small_pair: Pair) -> None:
    """What the source takes after the export is no finding: the target is judged by the snapshot."""
    access = small_pair.access(critical_queries={"parts": "SELECT count(*) FROM parts"})
    perform(access, small_pair, ExportDatabase("main"))
    small_pair.on("source", "INSERT INTO parts (name) VALUES ('late')")
    perform(access, small_pair, ImportDatabase("main"))
    exported = applied(small_pair, "export-database[main]")
    counts = both(access, postgres.RowCountsOf)
    assert counts[0].tables == {'public."Odd Name"': 0, "public.parts": 11}
    assert rows.counts_match(exported, NOT_APPLIED, *counts) == []
    assert [str(each) for each in rows.counts_match(NOT_APPLIED, NOT_APPLIED, *counts)] == [
        "rows in public.parts on the target (10) == source now (11)"
    ]


def test_failed_import_leaves_the_target_as_it_was(small_pair: Pair) -> None:
    """One transaction: a name in use on the target undoes the whole import, and the error says which."""
    access = small_pair.access(critical_queries={})
    perform(access, small_pair, ExportDatabase("main"))
    small_pair.on("target", "CREATE VIEW parts AS SELECT 1 AS one")
    before = ask(access, postgres.CatalogOf("main", "target"))
    action = ImportDatabase("main")
    with pytest.raises(ActionFailed, match="must be owner of view parts"):
        action.apply(access, action.plan(access), lambda _: None)
    assert ask(access, postgres.CatalogOf("main", "target")) == before


def test_archive_that_was_changed_is_not_imported(small_pair: Pair) -> None:
    """An archive is imported only if it is the one the ledger recorded; verify says so too."""
    access = small_pair.access(critical_queries={})
    facts = perform(access, small_pair, ExportDatabase("main"))
    archive = access.work / facts["archive"]
    assert archive.stat().st_mode & 0o077 == 0
    archive.write_bytes(archive.read_bytes()[:-10])
    assert "SHA-256" in ExportDatabase("main").verify(access, facts)[0].message
    action = ImportDatabase("main")
    with pytest.raises(ActionFailed, match="SHA-256"):
        action.apply(access, action.plan(access), lambda _: None)
    assert list(access.work.glob(".*")) == list(access.work.glob("pass-*")) == []


def test_import_that_waits_for_a_lock_is_stopped_in_time(small_pair: Pair) -> None:
    """Past its deadline the program is killed, its session ended, and the target free again."""
    access = small_pair.access(critical_queries={})
    perform(access, small_pair, ExportDatabase("main"))
    perform(access, small_pair, ImportDatabase("main"))
    hurried = small_pair.access(policy={"action_deadline": "1s", "probe_timeout": "1s"}, critical_queries={})
    plan = ImportDatabase("main").plan(access)
    with small_pair.target.admin() as holder, holder.transaction():
        holder.execute("LOCK TABLE parts")
        with pytest.raises(ActionFailed, match="it was killed"):
            ImportDatabase("main").apply(hurried, plan, lambda _: None)
    assert rows.counts_match(applied(small_pair, "export-database[main]"), NOT_APPLIED,
                             *both(access, postgres.RowCountsOf)) == []  # fmt: skip


def test_cutover_fences_copies_and_can_be_undone(shop_pair: Pair) -> None:
    """The fence ends older sessions, refuses writes and stops jobs; the copy is complete; undo brings all back."""
    access = shop_pair.access()
    perform(access, shop_pair, ExportDatabase("main"))
    perform(access, shop_pair, ImportDatabase("main"))
    assert [f"{each.name}[{each.subject}]" for each in actions(access.migration, "cutover")] == [
        "fence-writes[main]",
        "final-sync[main]",
    ]
    with psycopg.connect(shop_pair.source_url, autocommit=True) as app:
        app.execute("INSERT INTO orders (reference) VALUES ('last')")
        with pytest.raises(ActionFailed, match="transaction_read_only"):
            FinalSync("main").apply(access, FinalSync("main").plan(access), lambda _: None)
        plan = FenceWrites("main").plan(access)
        assert plan.undo == {"setting": None, "processes": {"shop-web": {"clock": 1}}}
        perform(access, shop_pair, FenceWrites("main"))
        with pytest.raises(psycopg.OperationalError):
            app.execute("SELECT 1")
    assert access.source().app("shop-web").processes["clock"] == 0
    with psycopg.connect(shop_pair.source_url) as app, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        app.execute("INSERT INTO orders (reference) VALUES ('too late')")
    perform(access, shop_pair, FinalSync("main"))
    assert shop_pair.on("target", "SELECT count(*) FROM orders WHERE reference = 'last'") == [(1,)]
    fenced, synced = applied(shop_pair, "fence-writes[main]"), applied(shop_pair, "final-sync[main]")
    assert fence.writes_are_fenced("freeze", ask(access, postgres.FenceState("main")), fenced) == []
    counts, positions = both(access, postgres.RowCountsOf), both(access, postgres.SequencePositionsOf)
    assert fence.nothing_was_lost(synced, *counts, *positions) == []
    assert fence.is_quiet(synced, ask(access, postgres.FenceState("main")), counts[0]) == []
    shop_pair.on("target", "INSERT INTO orders (reference) VALUES ('on the target')")
    said: list[str] = []
    FinalSync("main").undo(access, {}, said.append)
    assert said == ["1 rows of public.orders are on the target alone: save them before the next copy"]
    FenceWrites("main").undo(access, plan.undo, lambda _: None)
    FenceWrites("main").undo(access, plan.undo, lambda _: None)
    assert access.source().app("shop-web").processes["clock"] == 1
    with psycopg.connect(shop_pair.source_url) as app:
        app.execute("INSERT INTO orders (reference) VALUES ('after')")
    state = ask(access, postgres.FenceState("main"))
    assert [str(each) for each in fence.writes_are_fenced("freeze", state, fenced)] == [
        "default_transaction_read_only of the source (not set) == on",
        "a fresh session at the source (writes) == read-only",
    ]


def test_nothing_is_imported_over_a_live_target(small_pair: Pair) -> None:
    """Once a domain was switched, users may be on the target: no export, import or sync is planned any more."""
    access = small_pair.access()
    small_pair.platforms.ledger.records["swap-record[shop.example.test]"] = record("swap-record", "2026-01-01T00:00Z")
    for action in (ExportDatabase("main"), ImportDatabase("main"), FinalSync("main")):
        with pytest.raises(UnsafePlan, match="roll the cutover back first"):
            action.plan(access)


@pytest.mark.parametrize("strategy", [None, "repoint"])
def test_cutover_without_a_built_strategy_is_refused(small_pair: Pair, strategy: str | None) -> None:
    """Without a strategy for writes there is no plan, and it says what to set."""
    access = small_pair.access(write_strategy=strategy)
    for action in (FenceWrites("main"), FinalSync("main")):
        with pytest.raises(UnsafePlan, match='write_strategy = "freeze"'):
            action.plan(access)


def test_unreachable_database_is_not_seen_as_empty(small_pair: Pair) -> None:
    """A wrong password is *could not look*, names neither URL nor password, and says what to do."""
    access = small_pair.access()
    (access.work / "target-url").write_text(
        small_pair.target_url.replace("shop_target:canary", "shop_target:wrong-one")
    )
    with pytest.raises(CouldNotLook, match="reach target database main") as caught:
        ask(access, postgres.RowCountsOf("main", "target"))
    assert "wrong-one" not in str(caught.value)


def test_rows_hidden_by_a_policy_are_not_counted_as_missing(small_pair: Pair) -> None:
    """Row-level security makes a count an error, never a smaller number."""
    access = small_pair.access()
    small_pair.on("source", "ALTER TABLE parts ENABLE ROW LEVEL SECURITY", "ALTER TABLE parts FORCE ROW LEVEL SECURITY")
    with pytest.raises(CouldNotLook, match="row-level security"):
        ask(access, postgres.RowCountsOf("main", "source"))


@pytest.mark.parametrize("text", ["INSERT INTO parts (name) VALUES ('x') RETURNING id", "SET timezone = 'UTC'"])
def test_critical_query_cannot_write(small_pair: Pair, text: str) -> None:
    """A critical query runs read-only and must return rows."""
    with pytest.raises(CouldNotLook):
        ask(small_pair.access(), postgres.CriticalQueryAnswer("main", "source", "bad", text))


def test_tools_must_fit_both_servers() -> None:
    """No client programs older than the source are used; the message names those installed."""
    assert find_tools(17, 17).major >= 17
    with pytest.raises(CouldNotLook, match="installed: "):
        find_tools(99, 99)


def test_backups_are_told_with_what_became_of_them(small_pair: Pair) -> None:
    """The archive's checksum is taken anew; once the file is gone, only the platform's backup is left."""
    access = small_pair.access(critical_queries={})
    facts = perform(access, small_pair, ExportDatabase("main"))
    told = ask(access, postgres.BackupsOf("main"))
    assert told.archives[0].found == facts["sha256"]
    assert told.platform_error is None
    (access.work / facts["archive"]).unlink()
    assert ask(access, postgres.BackupsOf("main")).archives[0].found is None
