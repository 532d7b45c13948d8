"""A wrong file: every problem at once, each with its place, what was found and what to write instead."""

from __future__ import annotations

import pickle
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kovra_checks.checklist.spec import CheckSpec
from kovra_checks.config import ConfigErrors, load, load_text, validated
from kovra_checks.config.reading import Document
from kovra_checks.config.semantics import across

BASE = """\
name = "shop"
[source]
platform = "generic"
[target]
[apps.web]
"""
DOMAIN = """\
[domains."shop.example.com"]
app = "web"
zone = "example.com"
target = "web.apps.kovra.example"
source_target = "shop.herokudns.com"
"""
JOB = '[jobs.x]\napp = "web"\ncommand = "a"\n'
HOOK = '[integrations.x]\nkind = "webhook"\ndomain = "shop.example.com"\npath = "/"\n'
DATABASE = '[databases.main]\nsource_url = "env:SOURCE"\n'


def problems(text: str) -> list[str]:
    """The problems of *text*, as told."""
    with pytest.raises(ConfigErrors) as caught:
        load_text(text)
    return [str(problem) for problem in caught.value.problems]


FIELDS = [
    ('helth_path = "/x"', "migration.toml:6: apps.web.helth_path: unknown key. Did you mean `health_path`?"),
    ('tenant = "x"', "apps.web.tenant: unknown key. `tenant` belongs into [target]."),
    ('port = "a"', 'apps.web.port: found "a". '),
    ("port = 70000", "apps.web.port: found 70000. Should be less than or equal to 65535"),
    ('uploads = "s3"', 'apps.web.uploads: found "s3". Allowed: `none`, `object-storage` or `disk`'),
    ('uploads = "objectstorage"', "Did you mean `object-storage`? Allowed:"),
    ('health_path = "up"', 'apps.web.health_path: found "up". A path starts with `/`'),
    ('commit = "HEAD"', 'apps.web.commit: found "HEAD". Write a commit: 7 to 40 hex digits'),
    ('repository = "git@github.com:a/b"', "Write a URL that starts with https://"),
    ('name = "other"', "apps.web.name: the table's key is its name already. Remove this line"),
    ("smoke = 1", "apps.web.smoke: 1 where named tables belong. Write [apps.web.smoke.<name>]"),
    ("smoke.home = 1", "apps.web.smoke.home: 1 where a table belongs"),
    ("smoke.home = {}", "apps.web.smoke.home.path: required key is missing. Add `path = …`"),
    ('smoke.home = { path = "/", ignore = ["("] }', 'apps.web.smoke.home.ignore[0]: found "(": '),
    (
        'smoke.home = { path = "/", within = 5 }',
        "apps.web.smoke.home.within: found 5. A duration needs",
    ),
    (
        'databases = { URL = "mian" }\n[databases.main]\nsource_url = "env:X"',
        'apps.web.databases.URL: there is no databases entry "mian". Did you mean `main`?',
    ),
    ('databases = { URL = "main" }', "There is no [databases] at all"),
    ('variables = { retire = ["A"], set = { A = "env:B" } }', "A is to be retired and yet has a value on the target"),
    (
        'variables = { rename = { A = "X", B = "X" } }',
        'apps.web.variables.rename.B: variable "X" is claimed by A',
    ),
    ('[apps.api]\ntarget = "web"', 'apps.web.target: application "web" is claimed by api already'),
    ("[apps.Web]", 'apps.Web: found "Web". A name has lower-case letters'),
    ("[policy]\nsoak = 5", "policy.soak: found 5. A duration needs a number and a unit"),
    ('[policy]\nprobe_timeout = "0s"', "policy.probe_timeout: no time at all"),
    ("[policy]\nrestored_ttl = 10", "restored_ttl (10) >= low_ttl (300) does not hold"),
    ("[[waivers]]\ncheck = 1", "waivers[0].reason: required key is missing. Add `reason = …`: why it may be missing"),
    ('[[waivers]]\ncheck = "ttl-is-lo"', 'waivers[0].check: there is no check "ttl-is-lo". Did you mean `ttl-is-low`?'),
    ('[[waivers]]\ncheck = "ttl-is-low["', 'waivers[0].check: there is no check "ttl-is-low[".'),
]


@pytest.mark.parametrize(("line", "told"), FIELDS)
def test_wrong_key_or_value(line: str, told: str) -> None:
    """One wrong line is told by its own key path, with what was found and what to write."""
    assert any(told in one for one in problems(f"{BASE}{line}\n"))


SEMANTICS = [
    (
        DOMAIN.replace('"web"', '"wep"'),
        'domains."shop.example.com".app: there is no apps entry "wep". Did you mean',
    ),
    (DOMAIN + 'provider = "x"', 'there is no dns_providers entry "x". There is no [dns_providers] at all'),
    (DOMAIN.replace('"example.com"', '"exampel.com"'), "shop.example.com is not inside zone exampel.com"),
    (DOMAIN.replace('"example.com"', '"ample.com"'), "shop.example.com is not inside zone ample.com"),
    (DOMAIN.replace('"example.com"', '"shop.example.com"'), "a zone apex cannot hold a CNAME"),
    (DOMAIN.replace('"web.apps', '"*.apps'), "A record points at one host, not at a wildcard"),
    (DOMAIN.replace('"web.apps.kovra.example"', '"10.0.0.999"'), 'found "10.0.0.999". Write one valid address'),
    (DOMAIN.replace('"web.apps.kovra.example"', '"192.0.2.1:443"'), "without a port"),
    (DOMAIN.replace('"web.apps.kovra.example"', '"shop.example.com"'), "the record would point at itself"),
    (DOMAIN.replace('"web.apps.kovra.example"', '"shop.herokudns.com"'), "the swap would change nothing"),
    (DOMAIN + DOMAIN.replace("shop.example.com", "SHOP.example.com"), "the same host as domains."),
    ('[dns_providers.p]\nkind = "rfc2136"', "dns_providers.p.server: missing for an rfc2136 provider"),
    ('[dns_providers.p]\nkind = "rfc2136"\nserver = "192.0.2.1"', "dns_providers.p.key_secret: missing for an rfc2136"),
    ('[dns_providers.p]\nkind = "rfc2137"', "Did you mean `rfc2136`? Allowed: `rfc2136` or `manual`"),
    (DATABASE + 'target_url = "env:SOURCE"', "databases.main.target_url: the same reference as source_url"),
    (DATABASE + 'critical_queries = { x = "UPDATE a" }', 'databases.main.critical_queries.x: found "UPDATE a"'),
    (DATABASE + 'critical_queries = { x = "SELECT 1; DROP TABLE a" }', "Write one SELECT"),
    (
        DATABASE + '[databases.other]\nsource_url = "env:B"\ntarget = "main"',
        'database "main" is claimed by main',
    ),
    (f'{HOOK}app = "web"', "There is no [domains] at all"),
    (f'{DOMAIN}[apps.api]\n{HOOK}app = "api"', 'app "api", but shop.example.com belongs to app "web"'),
    (JOB + 'schedule = "daily"', 'jobs.x.schedule: found "daily". Write five cron fields'),
    (JOB + 'schedule = "0 3 * * *"\ntimezone = "Europe/Berln"', "Did you mean `Europe/Berlin`?"),
    (f'{JOB}schedule = "@daily"\n{JOB.replace("x", "y")}schedule = "@daily"', "is claimed by x already"),
]


@pytest.mark.parametrize(("text", "told"), SEMANTICS)
def test_tables_that_do_not_fit_together(text: str, told: str) -> None:
    """What no single key can tell is told as precisely as a typo."""
    assert any(told in one for one in problems(f"{BASE}{text}\n"))


def test_token_over_plain_http_is_refused() -> None:
    """A token is never sent unencrypted, except to this very machine."""
    text = BASE.replace("[target]", '[target]\ntoken = "env:T"\napi_url = "http://{}"')
    assert any("target.api_url" in one and "unencrypted" in one for one in problems(text.format("api.kovra.example")))
    assert load_text(text.format("127.1.2.40:8080")).target.api_url == "http://127.1.2.40:8080"


SECRETS = [
    '[databases.main]\nsource_url = "postgres://shop:hunter2secret@db.example.com/shop"',
    '[databases.main]\nsource_url = "hunter2secret"',
    '[databases.main]\nsource_url = "env:A"\ncritical_queries = { x = "SELECT dblink(\'http://a:hunter2secret@b\')" }',
    'repository = "https://user:hunter2secret@github.com/a/b"',
    'variables = { set = { KEY = "hunter2secret" } }',
    "variables = { set = { hunter2 = 5 } }",
    'smoke.home = { path = "/", headers = { Authorization = "Bearer ghp_hunter2secrethunter2secret" } }',
    'processes = { web = "run --token sk_live_hunter2secret" }',
]


@pytest.mark.parametrize("line", SECRETS)
def test_literal_secret_is_refused_and_never_shown(line: str) -> None:
    """A secret in the file is refused wherever it stands, and the message does not repeat it."""
    told = "\n".join(problems(f"{BASE}{line}\n"))
    assert "env:NAME" in told
    assert "hunter2secret" not in told


def test_everything_at_once_in_the_files_order() -> None:
    """Nobody has to run it again to learn of the next mistake, also when tables are broken."""
    told = problems(
        BASE.replace('"generic"', '"herku"')
        + 'helth_path = "/x"\ndatabases = { URL = "mian" }\n'
        + DATABASE
        + DOMAIN.replace('"web"', '"wep"')
        + "[policy]\nlow_ttl = 900\n[[waivers]]\n"
    )
    assert [one.split(":")[1:3] for one in told] == [
        ["3", " source.platform"],
        ["6", " apps.web.helth_path"],
        ["7", " apps.web.databases.URL"],
        ["11", ' domains."shop.example.com".app'],
        ["16", " policy.low_ttl"],
        *([["17", f" waivers[0].{key}"] for key in ("by", "check", "reason", "until")]),
    ]


def test_waived_twice_and_for_an_unknown_subject() -> None:
    """A waiver names a check and a subject that exist, once."""
    checks = {"is-up": CheckSpec("is-up", "It is up.", ("readiness",), "app", "", "start it")}
    data = {"waivers": [{"check": "is-up[web]"}, {"check": "is-up[web]"}, {"check": "is-up[wep]"}, {"check": "is-op"}]}
    troubles = across(load_text(BASE), data, whole=True, checks=checks)
    assert [(trouble.path[1], trouble.seen, trouble.remedy.partition("?")[0]) for trouble in troubles] == [
        (1, "is-up[web] is waived twice", "keep one waiver with one date"),
        (2, 'is-up has no subject "wep"', "Did you mean `web`"),
        (3, 'there is no check "is-op"', "Did you mean `is-up`"),
    ]


def test_waiver_for_a_check_of_ones_own() -> None:
    """An id that resembles none of ours may be a check that the user's conftest.py contributes."""
    waiver = 'check = "queue-drained"\nreason = "the queue is moved later"\nby = "Dana"\nuntil = 2030-01-01\n'
    assert load_text(f"{BASE}[[waivers]]\n{waiver}").waivers[0].check == "queue-drained"


def test_errors_travel_between_processes() -> None:
    """A worker's configuration error reaches the controller with its problems."""
    with pytest.raises(ConfigErrors) as caught:
        load_text("name = 5")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'name = "a\n', "migration.toml:1: not TOML: Illegal character '\\n' at column 10"),
        (b"\n[apps.web\n", "migration.toml:2: not TOML: "),
        (b"a = 1\na = 2\n", "not TOML: Cannot overwrite a value at column"),
        (b"name = 'x", "migration.toml:1: not TOML: "),
        (b'name = "\xe4"\n', "not UTF-8: byte 0xe4 at offset 8"),
        (None, "no such file"),
    ],
)
def test_no_toml_file(tmp_path: Path, content: bytes | None, told: str) -> None:
    """What is no TOML file is told with the place, or with what is there instead."""
    path = tmp_path / "migration.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigErrors) as caught:
        load(path)
    assert told in str(caught.value)


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    """Naming the folder instead of the file is told as that."""
    with pytest.raises(ConfigErrors, match="a folder, not a file"):
        load(tmp_path)


def test_unnamed_tables_are_told_with_the_right_form() -> None:
    """Who writes [[apps]] is shown [apps.<name>]."""
    text = BASE.replace("[apps.web]", "[[apps]]\nport = 1")
    assert any("apps: an array where named tables belong. Write [apps.<name>]" in one for one in problems(text))


def test_missing_tables() -> None:
    """An empty file tells every table it lacks."""
    assert [one.partition("migration.toml: ")[2].partition(".")[0] for one in problems("")] == [
        "apps: required table is missing",
        "name: required key is missing",
        "source: required table is missing",
        "target: required table is missing",
    ]


ODD: tuple[Any, ...] = (0, -1.5, True, "", "x y", [], [1], [{}], {}, {"x": {}}, {"x": 1}, {"name": {}})


def paths(table: dict[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key path of *table*."""
    for key, value in table.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths(value, (*prefix, key))


@pytest.mark.parametrize("odd", ODD, ids=map(repr, ODD))
def test_no_value_anywhere_breaks_the_validation(odd: Any) -> None:
    """Whatever stands at whatever key: a migration, or problems; never another error."""
    text = (Path(__file__).parent.parent / "migration.example.toml").read_text(encoding="utf-8")
    text += '\n[[waivers]]\ncheck = "ttl-is-low"\nreason = "long enough"\nby = "Dana"\nuntil = 2030-01-01\n'
    for path in paths(tomllib.loads(text)):
        data = tomllib.loads(text)
        table = data
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = odd
        try:
            validated(Document("migration.toml", data, {}), Path())
        except ConfigErrors as error:
            assert error.problems  # noqa: PT017 - raising is not required
