"""Does any variable still point at the old side?"""

from kovra_checks import App, Check, check
from kovra_checks.observations import platform
from kovra_checks.rules import variables


@check("no-old-host-remains")
def test_no_old_host_remains(app: App) -> Check:
    table = platform.VariableParity(app.name)
    return Check(table, lambda seen: variables.mention_no_old_host(seen[table], app))
