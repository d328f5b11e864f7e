"""The page's style sheets: browsers drop what they cannot parse without a word."""

import pytest
import tinycss2

from var_core.web.assets import read_asset
from var_core.web.server import STYLES


@pytest.mark.parametrize("name", STYLES)
def test_a_style_sheet_has_no_errors(name: str) -> None:
    rules = tinycss2.parse_stylesheet(read_asset(name), skip_comments=True, skip_whitespace=True)
    found = []
    while rules:
        rule = rules.pop()
        if rule.type == "at-rule":
            rules += tinycss2.parse_rule_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
            continue
        if rule.type == "qualified-rule":
            found += tinycss2.parse_declaration_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
        else:
            found.append(rule)
    wrong = [str(one) for one in found if one.type != "declaration"]
    assert wrong == [] and len(found) > 20
