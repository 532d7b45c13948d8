"""Crashes after the deployment: are the variables as at the source?"""

from kovra_checks import App, Check, check
from kovra_checks.observations import platform
from kovra_checks.rules import variables


@check("variables-match-source")
def test_variables_match_source(app: App) -> Check:
    table = platform.VariableParity(app.name)
    return Check(table, lambda seen: variables.parity(seen[table], app))
