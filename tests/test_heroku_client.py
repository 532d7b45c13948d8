"""Heroku's client against the lab's Heroku."""

from __future__ import annotations

import json

import pytest
from fix_platforms import COMMIT, CONFIG, DOMAIN, SOURCE_URL, Platforms

from kovra_checks.errors import ActionFailed, ConfigError, CouldNotLook
from kovra_checks.lab.exchange import Response
from kovra_checks.platforms import source_platform


def test_the_app_is_read_with_its_commit_and_processes(platforms: Platforms) -> None:
    """Release, slug and commit are followed; process counts and commands are by type."""
    app = platforms.access().source().app("shop-web")
    assert (app.commit, app.maintenance, app.region) == (COMMIT, False, "eu")
    assert app.processes == {"clock": 1, "web": 1}
    assert app.commands["clock"] == "python -m shop.clock"


def test_the_commit_survives_a_change_of_config(platforms: Platforms) -> None:
    """A release made by a config change still names the slug that runs."""
    with platforms.client() as client:
        answer = client.patch(
            f"{platforms.heroku.platform.url}/apps/shop-web/config-vars",
            json={"LOG_LEVEL": "debug"},
            headers={"Accept": "application/vnd.heroku+json; version=3",
                     "Authorization": "Bearer canary-heroku-token"},
        )  # fmt: skip
    assert answer.status_code == 200
    assert platforms.access().source().app("shop-web").commit == COMMIT


def test_variables_know_where_they_come_from(platforms: Platforms) -> None:
    """Add-on and platform variables are told apart from config, and secret values are masked from then on."""
    platforms.heroku.edit("shop-web")["config"] |= {"PORT": "5000", "HEROKU_SLUG_COMMIT": COMMIT}
    access = platforms.access()
    variables = access.source().variables("shop-web")
    assert {name: variable.origin for name, variable in variables.items()} == {
        "DATABASE_URL": "addon", "HEROKU_SLUG_COMMIT": "platform", "LOG_LEVEL": "config", "PORT": "platform",
        "S3_BUCKET": "config", "SECRET_KEY": "config",
    }  # fmt: skip
    assert CONFIG["SECRET_KEY"] not in access.secrets.mask(f"it is {CONFIG['SECRET_KEY']}")
    assert "canary-old-password" not in access.secrets.mask(SOURCE_URL)
    assert CONFIG["SECRET_KEY"] not in repr(variables)


def test_what_the_migration_file_says_stays_readable(platforms: Platforms) -> None:
    """A variable that holds the shop's own domain, an origin or a plain word does not blank evidence."""
    platforms.heroku.edit("shop-web")["config"] = {"HOST": DOMAIN, "URL": f"https://{DOMAIN}", "MODE": "production"}
    access = platforms.access()
    access.source().variables("shop-web")
    text = f"GET https://{DOMAIN} in production"
    assert access.secrets.mask(text) == text


def test_all_pages_are_read(platforms: Platforms) -> None:
    """A listing in pages of one is complete."""
    platforms.heroku.page_size = 1
    platforms.heroku.seed(app="another-app", commit=COMMIT, config={}, database="postgresql-flat-1")
    source = platforms.access().source()
    assert source.apps() == ["another-app", "shop-web"]
    assert source.app("shop-web").processes == {"clock": 1, "web": 1}


def test_a_page_that_lost_its_header_is_not_a_whole_list(platforms: Platforms) -> None:
    """206 without Next-Range could not be looked at to the end."""
    short = Response(206, json.dumps([{"name": "one"}]).encode(), "application/json")
    platforms.heroku.platform.intercept = lambda _request: short
    with pytest.raises(CouldNotLook, match="not complete after 1 rows"):
        platforms.access().source().apps()


def test_domains_and_databases(platforms: Platforms) -> None:
    """Custom domains come with their DNS target, databases with version, size and newest backup."""
    source = platforms.access().source()
    assert [(domain.name, domain.dns_target) for domain in source.domains("shop-web")] == [
        (DOMAIN, "quiet-pine-1234.herokudns.test")
    ]
    (database,) = source.databases("shop-web")
    assert (database.name, database.version, database.last_backup) == ("postgresql-curved-12345", "17", None)


def test_a_backup_is_waited_for(platforms: Platforms) -> None:
    """Capturing returns when the transfer is complete, and the database then has a newest backup."""
    source = platforms.access().source()
    number = source.capture_backup("shop-web", "postgresql-curved-12345")
    assert number == platforms.heroku.edit("shop-web")["transfers"][0]["uuid"]
    assert source.databases("shop-web")[0].last_backup is not None


def test_a_backup_that_never_ends_fails(platforms: Platforms) -> None:
    """A transfer that is not finished by the action deadline is a failed action."""
    access = platforms.access(platforms.migration(policy={"action_deadline": "300ms", "probe_timeout": "1s"}))

    def unfinished(request: object) -> Response | None:
        if getattr(request, "method", "") == "GET":
            return Response(200, b"[]", "application/json")
        return None

    platforms.heroku.data.intercept = unfinished
    with pytest.raises(ActionFailed, match="not finished in time"):
        access.source().capture_backup("shop-web", "postgresql-curved-12345")


def test_changes_reach_the_world(platforms: Platforms) -> None:
    """Scaling, maintenance and removing a domain call the world back, and scaling tells the counts before."""
    told: list[object] = []
    platforms.heroku.on_scale(lambda app, counts: told.append((app, dict(counts))))
    platforms.heroku.on_maintenance(lambda app, on: told.append((app, on)))
    platforms.heroku.on_domain(lambda app, domain, attached: told.append((app, domain, attached)))
    source = platforms.access().source()
    assert source.scale("shop-web", {"clock": 0}) == {"clock": 1}
    source.set_maintenance("shop-web", on=True)
    source.remove_domain("shop-web", DOMAIN)
    assert told == [("shop-web", {"web": 1, "clock": 0}), ("shop-web", True), ("shop-web", DOMAIN, False)]
    assert source.app("shop-web").maintenance
    assert list(source.domains("shop-web")) == []


def test_an_unknown_app_could_not_be_looked_at(platforms: Platforms) -> None:
    """404 is no proof of absence: the token may not see it."""
    with pytest.raises(CouldNotLook, match="status 404") as caught:
        platforms.access().source().app("nothing")
    assert "a token that may not see it" in caught.value.remedy


def test_a_document_of_another_shape_is_not_guessed_at(platforms: Platforms) -> None:
    """A field of the wrong type could not be read."""
    platforms.heroku.platform.intercept = lambda _request: Response(200, b'[{"name": 1.5}]', "application/json")
    with pytest.raises(CouldNotLook, match="name is float, expected str"):
        platforms.access().source().apps()


def test_a_source_without_token_is_a_config_error(platforms: Platforms) -> None:
    """Heroku without a token is refused before anything is contacted."""
    with pytest.raises(ConfigError, match=r"source\.token is not set"):
        platforms.access(platforms.migration(source={"platform": "heroku"})).source()


@pytest.mark.parametrize("platform", ["railway", "render", "byoc"])
def test_platforms_to_come_say_so(platforms: Platforms, platform: str) -> None:
    """A platform without a client names the way round."""
    access = platforms.access(platforms.migration(source={"platform": platform}))
    with pytest.raises(ConfigError, match="no client in this version") as caught:
        source_platform(access)
    assert "generic" in caught.value.remedy


def test_a_generic_source_knows_what_the_file_says(platforms: Platforms) -> None:
    """The file's commit and domains are told, and everything else could not be looked at."""
    apps = [{"name": "web", "source": "shop-web", "commit": COMMIT}]
    source = platforms.access(platforms.migration(source={"platform": "generic"}, apps=apps)).source()
    assert source.app("shop-web").commit == COMMIT
    assert [domain.dns_target for domain in source.domains("shop-web")] == ["quiet-pine-1234.herokudns.test"]
    for look in (source.apps, lambda: source.variables("shop-web"), lambda: source.databases("shop-web")):
        with pytest.raises(CouldNotLook, match="generic"):
            look()
    with pytest.raises(ActionFailed, match="no API to change it with"):
        source.scale("shop-web", {"web": 0})
