"""The page's style sheets: browsers drop what they cannot parse without a word."""

from pathlib import Path

import pytest
import tinycss2

from var_core.web.assets import asset_path, style_paths


@pytest.mark.parametrize("path", style_paths(), ids=lambda path: path.name)
def test_a_style_sheet_has_no_errors(path: Path) -> None:
    rules = tinycss2.parse_stylesheet(
        path.read_text("utf-8"), skip_comments=True, skip_whitespace=True
    )
    found = []
    while rules:
        rule = rules.pop()
        if rule.type == "at-rule":
            rules += tinycss2.parse_rule_list(
                rule.content or [], skip_comments=True, skip_whitespace=True
            )
            continue
        if rule.type == "qualified-rule":
            found += tinycss2.parse_declaration_list(
                rule.content, skip_comments=True, skip_whitespace=True
            )
        else:
            found.append(rule)
    wrong = [str(one) for one in found if one.type != "declaration"]
    assert wrong == [] and found


def test_every_style_sheet_is_served() -> None:
    assert sorted(asset_path("styles").iterdir()) == sorted(style_paths())
