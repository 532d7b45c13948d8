"""The light scan knows where keys stand."""

from __future__ import annotations

import pytest

from kovra_checks.config.positions import key_lines, nearest
from kovra_checks.config.problems import KeyPath, key_text

TEXT = '''\
name = "x"
[apps.web]
port = 80
databases = { DATABASE_URL = "main" }
processes = {
  web = "run",
}
a.b."c.d" = 1
text = """
[no.table]
no_key = 1
"""
after = 'x'
list = [ # [ in a comment
  "]", "[",
  [1],
]
[domains."shop.example.com"]  # a dot in a key
zone = "[x"
[[waivers]]
check = "one"
[[waivers]]
check = "two"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("apps",), 2),
        (("apps", "web"), 2),
        (("apps", "web", "port"), 3),
        (("apps", "web", "databases", "DATABASE_URL"), 4),
        (("apps", "web", "processes", "web"), 5),
        (("apps", "web", "a", "b", "c.d"), 8),
        (("apps", "web", "after"), 13),
        (("apps", "web", "list", 0), 14),
        (("domains", "shop.example.com", "zone"), 19),
        (("waivers", 0, "check"), 21),
        (("waivers", 1, "check"), 23),
        (("waivers", 1, "until"), 22),
        (("no", "table"), None),
        (("policy",), None),
    ],
)
def test_line_of_a_key(path: KeyPath, line: int | None) -> None:
    """Keys have their line; what an inline value or a missing key holds has that of the nearest table."""
    assert nearest(path, key_lines(TEXT)) == line


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("apps", "web"), "apps.web"),
        (("domains", "shop.example.com", "zone"), 'domains."shop.example.com".zone'),
        (("waivers", 0, "until"), "waivers[0].until"),
    ],
)
def test_key_path_as_toml_writes_it(path: KeyPath, text: str) -> None:
    """A key path can be copied back into the file."""
    assert key_text(path) == text
