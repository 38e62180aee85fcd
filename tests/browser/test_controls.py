"""Every control changes the chart as the API says it should, and the address so that a link brings it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.looking import SMALL, SPEED, SWEEP, THROUGHPUT, api_points, at, chart, points, settled, state_of


def chip(name: str, value: object, on: bool = True) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.set_checked(f'[data-control="{name}"] input[value="{value}"]', on)

    return act


def choose(name: str, value: str) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.evaluate("document.querySelectorAll('#controls details').forEach((one) => (one.open = true))")
        page.select_option(f"#control-{name}", value)

    return act


def type_in(name: str, value: str) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.fill(f"#control-{name}", value)
        page.press(f"#control-{name}", "Enter")
        page.evaluate("document.activeElement.blur()")

    return act


def slide(value: str) -> Callable[[Any], None]:
    def act(page: Any) -> None:
        page.fill("#acceptance-slider", value)

    return act


CONTROLS = {
    "accelerator": (choose("add", "b200"), {"hardware": ["mi355x", "b200"]}),
    "model": (choose("model", "qwen3-32b"), {"model": "qwen3-32b", "mtp": [0]}),
    "precision": (chip("precision", "fp8"), {"precision": "fp8"}),
    "sequence": (chip("sequence", "8k/1k"), {"isl": 8192}),
    "input length": (type_in("isl", "3000"), {"isl": 3000}),
    "output length": (type_in("osl", "500"), {"osl": 500}),
    "one more depth": (chip("mtp", 1), {"mtp": [0, 1, 3]}),
    "without Off": (chip("mtp", 0, on=False), {"mtp": [3]}),
    "acceptance length": (slide("2.5"), {"acceptance": "length:2.5"}),
    "acceptance rate": (choose("acceptance", "rate"), {"acceptance": "rate:0.75"}),
    "one TP less": (chip("tp", 2, on=False), {"sweep": ["4:4,16"]}),
    "one TP more": (chip("tp", 8), {"sweep": [*SWEEP, "8:4..256"]}),
    "clients": (type_in("sweep", "2:8, 32"), {"sweep": ["2:8, 32"]}),
    "engine": (choose("engine", "vllm"), {"engine": "vllm"}),
    "calibration": (choose("calibration", "none"), {"calibration": "none"}),
    "checkpoint": (choose("checkpoint", "mxfp4-attnfp8"), {"checkpoint": "mxfp4-attnfp8"}),
    "recipe": (choose("recipe", "sglang-mi355x-fp4-2026-07"), {"recipe": "sglang-mi355x-fp4-2026-07"}),
    "price": (choose("cost_basis", "rental"), {"cost_basis": "rental", "y": "cost_usd_per_mtok"}),
    "vertical": (choose("y", "mean_ttft_ms"), {"y": "mean_ttft_ms"}),
    "horizontal": (choose("x", "mean_e2e_ms"), {"x": "mean_e2e_ms"}),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_shows_what_the_api_answers_and_its_link_brings_it_back(quick: Any, server: str, name: str) -> None:
    act, change = CONTROLS[name]
    at(quick, f"{SMALL}&y=cost_usd_per_mtok" if name == "price" else SMALL)
    before = points(quick)
    act(quick)
    settled(quick)
    state = {"sweep": SWEEP, **change}
    wanted = api_points(server, state, state.get("x", SPEED), state.get("y", THROUGHPUT))
    assert points(quick) == wanted != before
    link = state_of(quick)
    at(quick, SMALL)
    at(quick, link)
    assert points(quick) == wanted


def test_a_link_opens_its_state_in_a_new_page(live: Any, server: str) -> None:
    link = "#hardware=mi355x,b200&precision=fp8&isl=8192&sweep=4:4,16&mtp=0,1&y=mean_ttft_ms&logy=true"
    live.goto("about:blank")
    live.goto(f"{server}{link}")
    settled(live)
    state = {"hardware": ["mi355x", "b200"], "precision": "fp8", "isl": 8192, "sweep": ["4:4,16"], "mtp": [0, 1]}
    assert points(live) == api_points(server, state, SPEED, "mean_ttft_ms")
    assert state_of(live) == link
    assert live.input_value("#control-y") == "mean_ttft_ms"


def test_the_profile_of_acceptances_is_one_of_the_choices(quick: Any, server: str) -> None:
    choose("acceptance", "profile")(quick)
    settled(quick)
    choose("profile", "qwen3.5-397b-a17b-random")(quick)
    settled(quick)
    state = {"sweep": SWEEP, "acceptance": "profile:qwen3.5-397b-a17b-random"}
    assert points(quick) == api_points(server, state, SPEED, THROUGHPUT)


def test_logarithmic_axes_change_the_axes_alone(quick: Any, server: str) -> None:
    before = points(quick)
    for name, axis in (("logy", "yaxis"), ("logx", "xaxis")):
        quick.check(f"#control-{name}")
        settled(quick)
        assert quick.evaluate(f"document.querySelector('.js-plotly-plot').layout.{axis}.type") == "log"
    assert points(quick) == before
    assert state_of(quick).endswith("logx=true&logy=true")


def test_published_points_can_be_taken_away(quick: Any, server: str) -> None:
    assert sum(len(t["x"]) for t in chart(quick) if t["symbol"] == "diamond-open") == 6
    choose("against", "")(quick)
    settled(quick)
    assert not any(t["symbol"] == "diamond-open" for t in chart(quick))


def test_back_and_forward_walk_through_the_states(quick: Any, server: str) -> None:
    first = points(quick)
    chip("mtp", 1)(quick)
    settled(quick)
    second = points(quick)
    quick.click("#tab-why")
    settled(quick)
    quick.go_back()
    settled(quick)
    assert points(quick) == second
    assert quick.get_attribute("#tab-curve", "aria-selected") == "true"
    quick.go_back()
    settled(quick)
    assert points(quick) == first
    assert not quick.is_checked('[data-control="mtp"] input[value="1"]')
    quick.go_forward()
    settled(quick)
    assert points(quick) == second


def test_dragging_leaves_one_step_of_history_and_the_last_value(quick: Any, server: str) -> None:
    before = quick.evaluate("history.length")
    drag = """(values) => {
        const slider = document.getElementById('acceptance-slider');
        for (const value of values) {
            slider.value = value;
            slider.dispatchEvent(new Event('input', { bubbles: true }));
        }
        slider.dispatchEvent(new Event('change', { bubbles: true }));
    }"""
    quick.evaluate(drag, ["2.9", "2.8", "2.7", "2.6"])
    quick.wait_for_selector("[data-control=acceptance] output:has-text('2.60')")
    settled(quick)
    assert quick.evaluate("history.length") - before <= 1
    wanted = api_points(server, {"sweep": SWEEP, "acceptance": "length:2.6"}, SPEED, THROUGHPUT)
    quick.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    assert points(quick) == wanted


def test_a_stale_request_is_cancelled_and_never_shown(live: Any, server: str) -> None:
    at(live, SMALL)
    cancelled: list[str] = []
    live.on("requestfailed", lambda request: cancelled.append(request.post_data or ""))
    held: list[Any] = []
    live.route("**/api/curve**", lambda route: held.append(route))
    chip("mtp", 1)(live)
    while not held:
        live.wait_for_timeout(10)
    live.unroute("**/api/curve**")
    chip("sequence", "8k/1k")(live)
    settled(live)
    assert points(live) == api_points(server, {"sweep": SWEEP, "mtp": [0, 1, 3], "isl": 8192}, SPEED, THROUGHPUT)
    assert [json.loads(text)["isl"] for text in cancelled] == [1024]


def test_bands_follow_the_points(live: Any) -> None:
    at(live, SMALL)
    live.wait_for_function(
        """() => document.querySelector('#panel-curve .js-plotly-plot').data
            .filter((trace) => trace.fill === 'toself' && trace.x.length).length === 2"""
    )


def test_what_the_profiles_cannot_do_is_said_in_the_programs_words(quick: Any) -> None:
    at(quick, "#hardware=l40s&sweep=1:4")
    said = quick.inner_text("#panel-curve .fault")
    assert "l40s" in said.lower()
    quick.complaints.clear()


def test_a_hostile_link_is_refused_in_words(quick: Any) -> None:
    at(quick, "#hardware=%3Cimg%20src=x%20onerror=alert(1)%3E&sweep=4:4")
    assert "hardware" in quick.inner_text("#panel-curve .fault")
    assert quick.locator("img").count() == 0
    quick.complaints.clear()
