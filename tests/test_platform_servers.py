"""The lab's control APIs on the wire: statuses, headers, state, and the vendor's own contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fix_platforms import COMMIT, HEROKU_TOKEN, KOVRA_TOKEN, Platforms
from jsonschema import Draft4Validator, FormatChecker
from openapi_spec_validator import validate

from kovra_checks.lab.addresses import Addresses
from kovra_checks.lab.heroku_api import HerokuApi
from kovra_checks.lab.kovra_api import KovraApi

CONTRACT = Path(__file__).parents[1].parent / "shared/contracts/heroku/platform-api-hyperschema-3.sdk.json"
V3 = {"Accept": "application/vnd.heroku+json; version=3", "Authorization": f"Bearer {HEROKU_TOKEN}"}
NO_CERTIFICATE = ("", "")


def heroku_get(platforms: Platforms, path: str, **headers: str) -> httpx.Response:
    """One look at the lab's Heroku."""
    with platforms.client() as client:
        return client.get(platforms.heroku.platform.url + path, headers={**V3, **headers})


REFUSED = [
    ("/apps", {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
    ("/apps", {"Accept": "application/json"}, 406, "not_acceptable"),
    ("/apps/nothing", {}, 404, "not_found"),
    ("/nowhere", {}, 404, "not_found"),
    ("/apps", {"Range": "color .."}, 416, "requested_range_not_satisfiable"),
]


@pytest.mark.parametrize(("path", "headers", "status", "code"), REFUSED)
def test_heroku_refuses_as_the_vendor_does(
    platforms: Platforms, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """Errors have the vendor's status, id and request id."""
    answer = heroku_get(platforms, path, **headers)
    assert (answer.status_code, answer.json()["id"]) == (status, code)
    assert answer.headers["request-id"]


def test_heroku_counts_tokens(platforms: Platforms) -> None:
    """The pool of tokens shrinks with each request, ends in 429, and fills up again."""
    platforms.heroku.tokens_left, platforms.heroku.refill = 1, 0
    assert heroku_get(platforms, "/apps").headers["ratelimit-remaining"] == "0"
    assert heroku_get(platforms, "/apps").status_code == 429
    platforms.heroku.refill = 1e6
    assert heroku_get(platforms, "/apps").headers["ratelimit-remaining"] == "4499"


def test_heroku_pages_by_range(platforms: Platforms) -> None:
    """206 names the next range, and following it ends with 200."""
    platforms.heroku.page_size = 1
    first = heroku_get(platforms, "/apps/shop-web/formation")
    assert (first.status_code, len(first.json())) == (206, 1)
    second = heroku_get(platforms, "/apps/shop-web/formation", Range=first.headers["next-range"])
    assert (second.status_code, len(second.json())) == (200, 1)
    assert first.json() != second.json()


def test_heroku_sorts_releases_as_asked(platforms: Platforms) -> None:
    """`order=desc, max=1` gives the newest release."""
    newest = dict(platforms.heroku.edit("shop-web")["releases"][0], version=2)
    platforms.heroku.edit("shop-web")["releases"].append(newest)
    answer = heroku_get(platforms, "/apps/shop-web/releases", Range="version ..; order=desc, max=1")
    assert [row["version"] for row in answer.json()] == [2]
    assert answer.status_code == 206


def test_heroku_keeps_attachment_values(platforms: Platforms) -> None:
    """A variable of an add-on cannot be overwritten."""
    with platforms.client() as client:
        url = f"{platforms.heroku.platform.url}/apps/shop-web/config-vars"
        answer = client.patch(url, json={"DATABASE_URL": "x"}, headers=V3)
    assert answer.status_code == 422
    assert "Cannot overwrite attachment values DATABASE_URL" in answer.json()["message"]


def test_kovra_wants_its_token(platforms: Platforms) -> None:
    """Everything but the description needs the bearer token."""
    with platforms.client() as client:
        assert client.get(f"{platforms.kovra.server.url}/v1/tenants/acme").status_code == 401
        authorized = {"Authorization": f"Bearer {KOVRA_TOKEN}"}
        assert client.get(f"{platforms.kovra.server.url}/v1/tenants/acme", headers=authorized).status_code == 200


def test_kovra_describes_itself(platforms: Platforms) -> None:
    """The description is valid OpenAPI 3.1 and names exactly the paths that are served."""
    with platforms.client() as client:
        document = client.get(f"{platforms.kovra.server.url}/openapi.json").json()
    validate(document)
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, route.pattern.pattern.replace("(?P<", "{").replace(">[^/]+)", "}"))
        for route in platforms.kovra.server._routes
    }
    assert served - described == {("GET", "/openapi.json")}
    assert described <= served


@pytest.mark.parametrize("status", ["pending", "provisioning"])
def test_kovra_creates_nothing_before_the_tenant_is_ready(platforms: Platforms, status: str) -> None:
    """A tenant that is not ready takes no databases."""
    platforms.kovra.state["tenant"]["status"] = status
    with platforms.client() as client:
        answer = client.post(
            f"{platforms.kovra.server.url}/v1/tenants/acme/databases",
            json={"name": "main"},
            headers={"Authorization": f"Bearer {KOVRA_TOKEN}"},
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "tenant_not_ready")


def test_state_survives_a_restart(platforms: Platforms) -> None:
    """What one server saved, another loads, through JSON."""
    platforms.build_target()
    addresses = Addresses("127.0.0", https_port=0)
    heroku = HerokuApi(addresses, NO_CERTIFICATE, HEROKU_TOKEN)
    kovra = KovraApi(addresses, NO_CERTIFICATE, KOVRA_TOKEN)
    heroku.load(json.loads(json.dumps(platforms.heroku.save())))
    kovra.load(json.loads(json.dumps(platforms.kovra.save())))
    assert heroku.save() == platforms.heroku.save()
    assert kovra.app("web")["facts"]["commit"] == COMMIT


if CONTRACT.is_file():  # the vendor's schema is not ours to ship; where it is at hand, answers are held to it
    DOCUMENTS = [
        ("/apps", "app", True),
        ("/apps/shop-web", "app", False),
        ("/apps/shop-web/formation", "formation", True),
        ("/apps/shop-web/domains", "domain", True),
        ("/apps/shop-web/addons", "add-on", True),
        ("/apps/shop-web/releases", "release", True),
        ("/apps/shop-web/builds", "build", True),
        ("/account/rate-limits", "rate-limit", False),
    ]

    @pytest.mark.parametrize(("path", "definition", "many"), DOCUMENTS, ids=[row[0] for row in DOCUMENTS])
    def test_heroku_documents_hold_to_the_contract(
        platforms: Platforms,
        path: str,
        definition: str,
        many: bool,  # noqa: FBT001 - a column of the table
    ) -> None:
        """Each answer has the types, formats and no other fields than the vendor's schema says."""
        answer = heroku_get(platforms, path).json()
        rows: list[Any] = answer if many else [answer]
        assert rows
        for row in rows:
            hold_to_contract(definition, row)

    def test_heroku_slug_and_config_hold_to_the_contract(platforms: Platforms) -> None:
        """The slug of the newest release and the flat config map are as the schema says."""
        release = heroku_get(platforms, "/apps/shop-web/releases").json()[0]
        hold_to_contract("slug", heroku_get(platforms, f"/apps/shop-web/slugs/{release['slug']['id']}").json())
        hold_to_contract(
            "config-var/definitions/config_vars", heroku_get(platforms, "/apps/shop-web/config-vars").json()
        )

    def hold_to_contract(definition: str, row: Any) -> None:
        """Validate against the definition; its `strictProperties` means: all of these and no others."""
        schema = json.loads(CONTRACT.read_text())
        target: Any = schema["definitions"]
        for part in definition.split("/"):
            target = target[part]
        validator = Draft4Validator({**schema, "$ref": f"#/definitions/{definition}"}, format_checker=FormatChecker())
        assert [error.message for error in validator.iter_errors(row)] == []
        if "properties" in target:
            assert set(row) <= set(target["properties"])
