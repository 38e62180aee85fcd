"""What the page reads off the fronts is what the command line and Python read."""

from __future__ import annotations

from typing import Any

from simulator import compare_against
from tests.browser.looking import cells, settled

AT = (44.0, 64.0, 84.0)


def table(page: Any) -> list[dict[str, str]]:
    """The readings as shown, by column."""
    header, *rows = cells(page, "#panel-curve .readings tr")
    return [dict(zip(header, row, strict=True)) for row in rows]


def shown(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def test_the_published_table_reads_as_compare_against_does_digit_by_digit(live: Any) -> None:
    against = compare_against("inferencex-mi355x-fp4-1k1k", intervals=False)
    settled(live)
    found = {(row["tok/s/user"], row["Series"].split(" (")[0]): row for row in table(live)}
    assert len(found) == len(against.rows) == 6
    for row in against.rows:
        own = found[f"{row['interactivity_tok_s_user']:.0f}", "MTP 3" if row["spec"] == "mtp" else "Off"]
        assert own["tok/s/GPU"] == shown(row["predicted_total_tok_s_gpu"])
        assert own["USD/M tokens"] == shown(row["predicted_cost_usd_per_mtok"], 3)
        assert own["tok/s/MW"] == shown(row["predicted_tok_s_per_mw"])
        assert own["clients"] == shown(row["predicted_concurrency"])
        assert own["TP"] == str(row["tp"])
        assert own["published"] == shown(row["total_tok_s_gpu"])
        error = f"{100 * row['error_total_tok_s_gpu']:+.1f} %".replace("-", "\N{MINUS SIGN}")
        assert own["error"] == error


def test_the_sentences_are_those_of_the_command_line(live: Any) -> None:
    said = live.inner_text("#panel-curve .said")
    assert "at 44 tok/s/user MTP delivers 21 % more tok/s/GPU" in said
    assert "tie of replica sizes" in said


def test_a_click_on_a_point_reads_there(live: Any) -> None:
    place = live.evaluate(
        """() => {
            const chart = document.querySelector('#panel-curve .js-plotly-plot');
            const trace = chart.data.findLastIndex((t) => t.mode === 'markers' && Array.isArray(t.marker.symbol));
            const { xaxis, yaxis } = chart._fullLayout;
            const { left, top } = chart.getBoundingClientRect();
            const [x, y] = [chart.data[trace].x[1], chart.data[trace].y[1]];
            return [left + xaxis._offset + xaxis.d2p(x), top + yaxis._offset + yaxis.d2p(y), x];
        }"""
    )
    live.mouse.move(place[0], place[1])
    live.wait_for_selector("#panel-curve .hovercard:not([hidden])")
    card = live.inner_text("#panel-curve .hovercard")
    for word in ("bound by", "mean ttft ms", "p99 ttft ms", "scope", "calibration", "hbm used gb", "method"):
        assert word in card
    live.mouse.click(place[0], place[1])
    live.wait_for_function("() => location.hash.startsWith('#at=')")
    settled(live)
    assert f"{round(place[2], 1):g}" in live.evaluate("location.hash")
    assert len(table(live)) == 8
    live.click('#panel-curve .readings button[aria-label^="Do not read at 44"]')
    settled(live)
    assert len(table(live)) == 6
