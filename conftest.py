"""This project's own hooks: the controller of a distributed run sees only conftest files at the top."""

from __future__ import annotations

pytest_plugins = ["pytester"]
