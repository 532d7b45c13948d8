"""The family's actions against the two control APIs: plan, apply, verify, apply again, undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fix_platforms import COMMIT, CONFIG, DOMAIN, TARGET_URL, Platforms, record

from kovra_checks.access import Access
from kovra_checks.actions.base import Action
from kovra_checks.actions.platform import actions, cutover_actions
from kovra_checks.errors import ActionFailed, CouldNotLook, UnsafePlan
from kovra_checks.lab.exchange import Response

ORDER = ["create-database", "create-application", "copy-variables", "point-app-at-database", "attach-domain",
         "create-job", "deploy-application"]  # fmt: skip


def quiet(_line: str) -> None:
    """Progress nobody reads."""


def perform(platforms: Platforms, action: Action, access: Access | None = None) -> Mapping[str, Any]:
    """Plan, apply and verify as the engine does, and put the outcome into the ledger."""
    access = platforms.access() if access is None else access
    plan = action.plan(access)
    facts = action.apply(access, plan, quiet)
    assert list(action.verify(access, facts)) == []
    name = f"{action.name}[{action.subject}]"
    assert plan.action == name
    platforms.ledger.records[name] = record(name, datetime.now(UTC).isoformat(), facts)
    return {"undo": plan.undo, "facts": facts}


def provision(platforms: Platforms) -> dict[str, Action]:
    """The provision stage's actions by name."""
    return {action.name: action for action in actions(platforms.migration(), "provision")}


def test_the_order_is_fixed(platforms: Platforms) -> None:
    """Each stage has its actions in the order in which they must happen."""
    migration = platforms.migration()
    assert [action.name for action in actions(migration, "provision")] == ORDER
    assert [action.stage for action in actions(migration, "provision")] == ["provision"] * len(ORDER)
    assert actions(migration, "cutover") == ()
    assert [(one.name, one.subject, one.stage) for one in cutover_actions(migration)] == [
        ("hand-over-job", "nightly", "cutover")
    ]
    assert [(one.name, one.subject) for one in actions(migration, "decommission")] == [("retire-source", "web")]


def test_a_database_given_by_url_is_not_created(platforms: Platforms) -> None:
    """With databases.main.target_url there is nothing of ours to create."""
    databases = [{"name": "main", "source_url": "file:source-url", "target_url": "file:target-url"}]
    names = [action.name for action in actions(platforms.migration(databases=databases), "provision")]
    assert "create-database" not in names


def test_the_stage_can_be_planned_before_anything_exists(platforms: Platforms) -> None:
    """Every plan of the empty target has steps, changes nothing and shows no value."""
    access = platforms.access()
    before = platforms.kovra.save()
    plans = [action.plan(access) for action in actions(access.migration, "provision")]
    assert all(plan.steps for plan in plans)
    assert platforms.kovra.save() == before
    told = str([asdict(plan) for plan in plans])
    assert "SECRET_KEY" in told
    assert not [value for value in (*CONFIG.values(), TARGET_URL) if value in told and value != "info"]


def test_provisioning_builds_the_target_and_adopts_it_the_second_time(platforms: Platforms) -> None:
    """After one pass the target is complete with the right values; a second pass finds nothing to do."""
    deployed: list[tuple[str, dict[str, str], str | None]] = []
    platforms.kovra.on_deploy(lambda app, variables, commit: deployed.append((app, dict(variables), commit)))
    for action in actions(platforms.migration(), "provision"):
        told = perform(platforms, action)
        assert "canary" not in str(told)
    assert deployed == [("web", {**CONFIG, "DATABASE_URL": TARGET_URL}, COMMIT)]
    app = platforms.kovra.app("web")
    assert list(app["domains"]) == [DOMAIN]
    assert app["jobs"]["nightly"]["suspended"] is True
    access = platforms.access()
    for action in actions(access.migration, "provision"):
        assert action.plan(access).steps == (), action.name
        perform(platforms, action)
    assert len(deployed) == 1


def test_undo_takes_everything_away_again_and_may_be_called_twice(platforms: Platforms) -> None:
    """Undoing in reverse order leaves the tenant as it was; undoing once more changes nothing."""
    before = platforms.kovra.save()
    done = [(action, perform(platforms, action)["undo"]) for action in actions(platforms.migration(), "provision")]
    access = platforms.access()
    for _ in range(2):
        for action, undo in reversed(done):
            action.undo(access, undo, quiet)
    assert platforms.kovra.save() == before


def test_undo_keeps_what_was_there_before(platforms: Platforms) -> None:
    """What was adopted is not deleted."""
    platforms.build_target()
    before = platforms.kovra.save()
    done = [(action, perform(platforms, action)["undo"]) for action in actions(platforms.migration(), "provision")]
    access = platforms.access()
    for action, undo in reversed(done):
        action.undo(access, undo, quiet)
    assert platforms.kovra.save() == before


def test_changed_variables_are_deployed(platforms: Platforms) -> None:
    """When a variable changed after the last deployment, the same commit is deployed again."""
    for action in actions(platforms.migration(), "provision"):
        perform(platforms, action)
    platforms.heroku.edit("shop-web")["config"]["LOG_LEVEL"] = "warning"
    steps = provision(platforms)
    assert steps["deploy-application"].plan(platforms.access()).steps == ()
    perform(platforms, steps["copy-variables"])
    (step,) = steps["deploy-application"].plan(platforms.access()).steps
    assert step.old.endswith("variables changed since")
    assert steps["deploy-application"].verify(platforms.access(), {}) != []
    perform(platforms, steps["deploy-application"])
    assert steps["deploy-application"].plan(platforms.access()).steps == ()


def test_a_replaced_value_is_told_and_not_undone(platforms: Platforms) -> None:
    """A value that is overwritten is on no record, and the plan says so."""
    platforms.build_target(LOG_LEVEL="debug")
    plan = provision(platforms)["copy-variables"].plan(platforms.access())
    assert [step.old for step in plan.steps] == ["(another value)"]
    assert "LOG_LEVEL" in plan.note
    assert plan.undo == {"added": []}


def test_a_hidden_value_counts_as_set_when_we_set_it(platforms: Platforms) -> None:
    """Where Kovra hides values, the record of our own setting is what there is to go by."""
    platforms.build_target()
    platforms.kovra.app("web")["variables"]["SECRET_KEY"] = None
    action = provision(platforms)["copy-variables"]
    assert action.verify(platforms.access(), {"changed": ["SECRET_KEY"]}) == []
    assert [finding.message for finding in action.verify(platforms.access(), {})] == [
        "SECRET_KEY of web (absent or different) == (the source's value, or the given one)"
    ]


def test_the_rules_for_variables_are_obeyed(platforms: Platforms) -> None:
    """Renamed, retired, given and differing variables, and those of add-ons, are copied as configured."""
    platforms.heroku.edit("shop-web")["config"] |= {"OLD": "o", "GONE": "g", "REDIS": "r", "PORT": "5000"}
    (platforms.directory / "given").write_text("a-given-value")
    rules = {"rename": {"OLD": "NEW"}, "retire": ["GONE"], "must_differ": ["REDIS"], "set": {"LOG_LEVEL": "file:given"}}
    app = {"name": "web", "source": "shop-web", "repository": "https://github.com/acme/shop", "variables": rules,
           "databases": {"DATABASE_URL": "main"}}  # fmt: skip
    access = platforms.access(platforms.migration(apps=[app]))
    steps = {action.name: action for action in actions(access.migration, "provision")}
    for name in ORDER[:4]:
        perform(platforms, steps[name], access)
    assert platforms.kovra.app("web")["variables"] == {
        "DATABASE_URL": TARGET_URL, "LOG_LEVEL": "a-given-value", "NEW": "o", "S3_BUCKET": CONFIG["S3_BUCKET"],
        "SECRET_KEY": CONFIG["SECRET_KEY"],
    }  # fmt: skip


def test_a_used_up_quota_stops_at_once(platforms: Platforms) -> None:
    """429 on creating the database is the quota; it is not tried again."""
    platforms.kovra.state["tenant"]["database_quota"] = 0
    with pytest.raises(ActionFailed, match="quota_exceeded"):
        perform(platforms, provision(platforms)["create-database"])
    assert platforms.kovra.state["databases"] == {}


def test_a_database_that_fails_says_why(platforms: Platforms) -> None:
    """Waiting ends at `failed`, with Kovra's own words."""
    platforms.build_target()
    platforms.kovra.state["databases"]["main"] |= {"status": "failed", "error_message": "volume is full"}
    with pytest.raises(ActionFailed, match="failed: volume is full"):
        perform(platforms, provision(platforms)["create-database"])


def test_a_database_that_does_not_get_ready_ends_at_the_deadline(platforms: Platforms) -> None:
    """A status nobody knows is waited for no longer than the policy says."""
    platforms.build_target()
    platforms.kovra.state["databases"]["main"]["status"] = "hibernating"
    access = platforms.access(platforms.migration(policy={"action_deadline": "400ms", "probe_timeout": "1s"}))
    with pytest.raises(ActionFailed, match="status hibernating"):
        perform(platforms, provision(platforms)["create-database"], access)


def test_a_url_that_is_not_known_yet_is_not_set(platforms: Platforms) -> None:
    """Before the managed database is ready its variable can be planned and not applied."""
    platforms.build_target()
    platforms.kovra.state["databases"]["main"]["status"] = "failed"
    del platforms.kovra.app("web")["variables"]["DATABASE_URL"]
    action, access = provision(platforms)["point-app-at-database"], platforms.access()
    plan = action.plan(access)
    assert [step.what for step in plan.steps] == ["DATABASE_URL of web"]
    with pytest.raises(ActionFailed, match="managed database has no URL"):
        action.apply(access, plan, quiet)


def test_a_failed_deployment_says_how_far_it_came(platforms: Platforms) -> None:
    """Waiting ends at a failed status, in whatever spelling."""
    platforms.build_target()
    platforms.kovra.app("web")["facts"]["commit"] = None

    def fail(request: Any) -> Response | None:
        if request.method == "GET" and "/deployments/" in request.path:
            return Response(200, b'{"id": "1", "status": "Cancelled"}', "application/json")
        return None

    platforms.kovra.server.intercept = fail
    with pytest.raises(ActionFailed, match="Cancelled"):
        perform(platforms, provision(platforms)["deploy-application"])


def test_a_deployment_is_undone_by_the_commit_before(platforms: Platforms) -> None:
    """The commit that ran before is deployed again."""
    platforms.build_target()
    platforms.kovra.app("web")["facts"]["commit"] = "1" * 40
    action = provision(platforms)["deploy-application"]
    undo = perform(platforms, action)["undo"]
    assert platforms.kovra.app("web")["facts"]["commit"] == COMMIT
    action.undo(platforms.access(), undo, quiet)
    assert platforms.kovra.app("web")["facts"]["commit"] == "1" * 40


def test_without_repository_or_commit_nothing_is_guessed(platforms: Platforms) -> None:
    """A source that names neither leaves the application and its deployment to the migration file."""
    apps = [{"name": "web", "source": "shop-web"}]
    access = platforms.access(platforms.migration(source={"platform": "generic"}, apps=apps))
    steps = {action.name: action for action in actions(access.migration, "provision")}
    with pytest.raises(CouldNotLook, match="names it"):
        steps["create-application"].plan(access)
    with pytest.raises(CouldNotLook, match="does not say which commit"):
        steps["deploy-application"].plan(access)


def test_a_job_changes_hands_and_back(platforms: Platforms) -> None:
    """The source's process stops before the target's job starts; undo goes the other way round."""
    platforms.build_target()
    told: list[object] = []
    platforms.heroku.on_scale(lambda _app, counts: told.append(("clock", counts["clock"])))
    platforms.kovra.on_job(lambda _app, job: told.append(("suspended", job["suspended"])))
    (action,) = cutover_actions(platforms.migration())
    access = platforms.access()
    assert [step.new for step in action.plan(access).steps] == ["0", "active"]
    undo = perform(platforms, action)["undo"]
    assert action.plan(access).steps == ()
    for _ in range(2):
        action.undo(access, undo, quiet)
    assert told == [("clock", 0), ("suspended", False), ("suspended", True), ("clock", 1)]
    assert [finding.message for finding in action.verify(access, {})] == [
        "process clock at the source (1) == 0",
        "job nightly on Kovra Cloud (suspended) == active",
    ]


def test_a_handed_over_job_is_not_suspended_by_provisioning_again(platforms: Platforms) -> None:
    """Once it is the target's, create-job wants it active."""
    platforms.build_target()
    (hand_over,) = cutover_actions(platforms.migration())
    perform(platforms, hand_over)
    assert provision(platforms)["create-job"].plan(platforms.access()).steps == ()


def test_a_job_without_source_process_says_what_to_do_by_hand(platforms: Platforms) -> None:
    """A scheduler without an API is stopped by hand before the hand-over."""
    platforms.build_target()
    jobs = [{"name": "nightly", "app": "web", "schedule": "0 3 * * *", "command": "python -m shop.jobs nightly"}]
    migration = platforms.migration(jobs=jobs)
    (action,) = cutover_actions(migration)
    plan = action.plan(platforms.access(migration))
    assert "by hand" in plan.note
    assert [step.new for step in plan.steps] == ["active"]


def test_a_job_that_does_not_exist_cannot_change_hands(platforms: Platforms) -> None:
    """It has to be created first."""
    platforms.build_target()
    platforms.kovra.app("web")["jobs"] = {}
    (action,) = cutover_actions(platforms.migration())
    with pytest.raises(CouldNotLook, match="does not exist"):
        action.plan(platforms.access())


def swapped(platforms: Platforms, ago: timedelta) -> None:
    """Let the ledger hold the swap of the domain."""
    at = (datetime.now(UTC) - ago).isoformat()
    platforms.ledger.records[f"swap-record[{DOMAIN}]"] = record("swap", at)


def test_the_source_is_retired_after_the_soak(platforms: Platforms) -> None:
    """All processes are stopped and our domains removed; undo starts the processes again."""
    swapped(platforms, timedelta(hours=49))
    platforms.heroku.edit("shop-web")["domains"]["other.example.test"] = {"cname": "x", "acm_status": None}
    (action,) = actions(platforms.migration(), "decommission")
    undo = perform(platforms, action)["undo"]
    state = platforms.heroku.edit("shop-web")
    assert {kind: one["quantity"] for kind, one in state["formation"].items()} == {"web": 0, "clock": 0}
    assert list(state["domains"]) == ["other.example.test"]
    assert action.plan(platforms.access()).steps == ()
    for _ in range(2):
        action.undo(platforms.access(), undo, quiet)
    assert {kind: one["quantity"] for kind, one in state["formation"].items()} == {"web": 1, "clock": 1}


def test_the_source_is_not_retired_during_the_soak(platforms: Platforms) -> None:
    """Before the soak is over the action refuses, names the moment, and changes nothing."""
    swapped(platforms, timedelta(minutes=90))
    (action,) = actions(platforms.migration(), "decommission")
    before = platforms.heroku.save()
    with pytest.raises(UnsafePlan, match="the soak lasts another 1d 22h"):
        perform(platforms, action)
    assert platforms.heroku.save() == before


def test_a_short_rest_of_the_soak_is_waited_for(platforms: Platforms) -> None:
    """Within the policy's patience the action waits."""
    swapped(platforms, timedelta(0))
    policy = {"soak": "300ms", "patience": "5s", "probe_timeout": "1s"}
    (action,) = actions(platforms.migration(), "decommission")
    perform(platforms, action, platforms.access(platforms.migration(policy=policy)))


def test_the_source_is_not_retired_without_a_swap_on_record(platforms: Platforms) -> None:
    """When nobody knows when the soak began, nothing is retired."""
    (action,) = actions(platforms.migration(), "decommission")
    with pytest.raises(ActionFailed, match="holds no swap"):
        perform(platforms, action)
