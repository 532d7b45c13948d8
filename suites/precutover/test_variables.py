"""Are the variables right for going live?"""

from kovra_checks import App, Check, check
from kovra_checks.observations import platform
from kovra_checks.rules import variables


@check("variables-are-correct")
def test_variables_are_correct(app: App) -> Check:
    table = platform.VariableParity(app.name)
    return Check(table, lambda seen: variables.are_correct(seen[table], app))
