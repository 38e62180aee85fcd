"""axe-core finds nothing serious in any tab, light or dark, on the served page; every input has a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import watched
from tests.browser.looking import SMALL, at, settled
from tests.browser.test_check import drop, rows_of

GRAVE = ("serious", "critical")
TABS = ("curve", "break-even", "why", "plan", "agentic", "check")


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(request: pytest.FixtureRequest, chromium: Any, server: str) -> Iterator[Any]:
    with watched(chromium, server, color_scheme=request.param, bypass_csp=True) as page:
        page.goto(f"{server}{SMALL}")
        settled(page)
        assert page.evaluate("document.documentElement.dataset.theme") == request.param
        yield page


@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_serious(themed: Any, tab: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    at(themed, f"#tab={tab}&sweep=4:4,16{'&mtp=0&promises=tpot-p95=40ms&rate=2' if tab == 'plan' else ''}")
    if tab == "plan":
        themed.click("#panel-plan button.primary")
        themed.wait_for_selector("#panel-plan .split:not([hidden])")
    if tab == "check":
        drop(themed, "mine.csv", rows_of())
    if tab == "curve":
        themed.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    themed.wait_for_timeout(400)
    found = Axe().run(themed).response["violations"]
    grave = [f"{one['id']}: {[node['html'][:120] for node in one['nodes']]}" for one in found if one["impact"] in GRAVE]
    assert grave == []


def test_the_switch_changes_the_theme_and_the_charts(themed: Any) -> None:
    at(themed, SMALL)
    ink = "document.querySelector('#panel-curve .js-plotly-plot').layout.font.color"
    before, name = themed.evaluate(ink), themed.evaluate("document.documentElement.dataset.theme")
    themed.click("#theme")
    assert themed.evaluate("document.documentElement.dataset.theme") != name
    assert themed.evaluate(ink) != before
    themed.click("#theme")
    assert themed.evaluate(ink) == before
