"""Kovra's client against the lab's Kovra Cloud."""

from __future__ import annotations

import pytest
from fix_platforms import COMMIT, DOMAIN, TARGET_URL, Platforms

from kovra_checks.errors import ActionFailed, ConfigError, CouldNotLook
from kovra_checks.lab.exchange import Response
from kovra_checks.protocols import KovraJob, Variable


def test_the_tenant_is_read(platforms: Platforms) -> None:
    """Status, plan and quota come through the endpoint map."""
    tenant = platforms.access().kovra().tenant()
    assert (tenant.status, tenant.plan, tenant.database_quota, tenant.databases) == ("ready", "business", 10, 0)


def test_a_database_becomes_ready_and_only_then_has_a_url(platforms: Platforms) -> None:
    """The documented statuses are gone through, and the URL, a secret, comes last."""
    access = platforms.access()
    kovra = access.kovra()
    seen = [kovra.create_database("main", version="17")]
    while seen[-1].status != "ready":
        found = kovra.database("main")
        assert found is not None
        seen.append(found)
    assert [one.status for one in seen] == ["pending", "pending", "provisioning", "ready"]
    assert [one.url for one in seen] == [None, None, None, TARGET_URL]
    assert "canary-new-password" not in access.secrets.mask(f"password canary-new-password in {TARGET_URL}")
    assert "canary" not in repr(seen)


def test_a_used_up_quota_is_told_and_not_tried_again(platforms: Platforms) -> None:
    """429 on creating a database is the plan's quota."""
    platforms.kovra.state["tenant"]["database_quota"] = 0
    asked: list[str] = []

    def count(request: object) -> Response | None:
        asked.append(getattr(request, "method", ""))
        return None

    platforms.kovra.server.intercept = count
    with pytest.raises(ActionFailed, match="quota_exceeded") as caught:
        platforms.access().kovra().create_database("main", version=None)
    assert "not a rate limit" in caught.value.remedy
    assert asked == ["POST"]


def test_what_does_not_exist_is_none(platforms: Platforms) -> None:
    """404 below a tenant that can be read means that it does not exist."""
    kovra = platforms.access().kovra()
    assert kovra.app("web") is None
    assert kovra.database("main") is None


def test_a_404_of_an_unreadable_tenant_proves_nothing(platforms: Platforms) -> None:
    """When the tenant itself cannot be read, the absence of an app is not known."""
    access = platforms.access(platforms.migration(target={**_target(platforms), "tenant": "other"}))
    with pytest.raises(CouldNotLook, match="status 404"):
        access.kovra().app("web")


def _target(platforms: Platforms) -> dict[str, str]:
    return {"api_url": platforms.kovra.server.url, "token": "file:kovra"}


def test_an_app_is_created_filled_and_deployed(platforms: Platforms) -> None:
    """Creating, setting and removing variables, and deploying reach the world with names, values and commit."""
    told: list[object] = []
    platforms.kovra.on_deploy(lambda app, variables, commit: told.append((app, dict(variables), commit)))
    kovra = platforms.access().kovra()
    app = kovra.create_app("web", repository="https://github.com/acme/shop", branch="main", health_path="/up", port=80)
    assert (app.health_path, app.generated_host, app.commit) == ("/up", "web.apps.kovra.test", None)
    kovra.set_variables("web", {"A": "1", "B": "2"})
    kovra.set_variables("web", {"A": None})
    assert kovra.variables("web") == {"B": Variable("B", "2")}
    number = kovra.deploy("web", commit=COMMIT)
    assert [kovra.deployment_status("web", number) for _ in range(3)] == ["pending", "building", "succeeded"]
    assert told == [("web", {"B": "2"}, COMMIT)]
    found = kovra.app("web")
    assert found is not None
    assert found.commit == COMMIT


def test_domains_and_jobs(platforms: Platforms) -> None:
    """External access and jobs are written, read and removed, and the world is told of each."""
    told: list[object] = []
    platforms.kovra.on_domain(lambda app, domain, attached: told.append((app, domain, attached)))
    platforms.kovra.on_job(lambda _app, job: told.append((job["name"], job["suspended"], job["deleted"])))
    kovra = platforms.access().kovra()
    kovra.create_app("web", repository="https://github.com/acme/shop", branch="main", health_path="/up", port=80)
    assert kovra.attach_domain("web", DOMAIN, tls=True).target == "web.apps.kovra.test"
    assert [kovra.domains("web")[0].status for _ in range(3)] == ["TLS Pending", "TLS Issuing", "TLS Ready"]
    job = KovraJob("nightly", "0 3 * * *", "UTC", "run", suspended=True)
    kovra.put_job("web", job)
    assert list(kovra.jobs("web")) == [job]
    kovra.delete_job("web", "nightly")
    kovra.detach_domain("web", DOMAIN)
    kovra.delete_app("web")
    assert kovra.app("web") is None
    assert told == [("web", DOMAIN, True), ("nightly", True, False), ("nightly", True, True), ("web", DOMAIN, False)]


def test_all_pages_are_read(platforms: Platforms) -> None:
    """A listing in pages of one is complete."""
    platforms.build_target()
    platforms.kovra.page_size = 1
    assert sorted(platforms.access().kovra().variables("web")) == [
        "DATABASE_URL",
        "LOG_LEVEL",
        "S3_BUCKET",
        "SECRET_KEY",
    ]


def test_a_hidden_value_is_unreadable_and_not_absent(platforms: Platforms) -> None:
    """A variable whose value is null stays in the list, with no value."""
    platforms.build_target()
    platforms.kovra.app("web")["variables"]["SECRET_KEY"] = None
    assert platforms.access().kovra().variables("web")["SECRET_KEY"].value is None


def test_the_endpoint_map_can_be_overridden_entry_by_entry(platforms: Platforms) -> None:
    """Paths and field names of another API are given in a file; what it leaves out stays."""
    (platforms.directory / "map.toml").write_text(
        '[operations]\ntenant = "GET /api/org/{tenant}"\n[fields.tenant]\nstatus = "state.phase"\n'
    )
    platforms.kovra.server.intercept = lambda request: (
        Response(200, b'{"name": "acme", "state": {"phase": "ready"}}', "application/json")
        if request.path == "/api/org/acme"
        else None
    )
    migration = platforms.migration(target={**_target(platforms), "tenant": "acme", "endpoint_map": "map.toml"})
    tenant = platforms.access(migration).kovra().tenant()
    assert (tenant.status, tenant.database_quota) == ("ready", None)


MAPS = [
    ('[operations]\ntenat = "GET /x"\n', r"operations\.tenat is unknown", "did you mean operations.tenant?"),
    ('[operations]\ntenant = "/x"\n', "operations.tenant is '/x'", "write a method and a path"),
    ('paging = "x"\n', "paging is of the wrong type", "did you mean paging?"),
    ("[", "Invalid", "check target.endpoint_map"),
]


@pytest.mark.parametrize(("text", "seen", "remedy"), MAPS)
def test_a_map_that_does_not_fit_is_refused(platforms: Platforms, text: str, seen: str, remedy: str) -> None:
    """A typo in the endpoint map is a config error that names the place."""
    (platforms.directory / "map.toml").write_text(text)
    migration = platforms.migration(target={**_target(platforms), "endpoint_map": "map.toml"})
    with pytest.raises(ConfigError, match=seen) as caught:
        platforms.access(migration).kovra()
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("missing", ["api_url", "token"])
def test_kovra_without_address_or_token_is_a_config_error(platforms: Platforms, missing: str) -> None:
    """Kovra's address is not public, so nothing is assumed."""
    target = {key: value for key, value in _target(platforms).items() if key != missing}
    with pytest.raises(ConfigError, match=rf"target\.{missing} is not set"):
        platforms.access(platforms.migration(target=target)).kovra()
