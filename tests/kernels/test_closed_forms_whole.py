"""Both closed forms as a whole: cases with an exact answer, and change alarms of cases without one."""

from __future__ import annotations

import math

import pytest

from simulator import kernels as kn
from simulator.kernels.records import Costs
from tests.kernels.made_up import made_up


def closed(costs: Costs, *load: float) -> kn.ClosedForm:
    out = kn.zero(kn.ClosedForm)
    kn.closed_form(costs.target, costs.draft, costs.constants, kn.Load(*load), out)
    return out


def opened(
    costs: Costs, rate: float, prompt: float, cv: float, output: float, rounds: float, cap: float
) -> kn.OpenForm:
    out = kn.zero(kn.OpenForm)
    kn.open_form(costs.target, costs.draft, costs.constants, rate, prompt, cv, output, rounds, cap, out)
    return out


# --- exact ------------------------------------------------------------------------------------------------------------


def test_a_lone_client_by_hand() -> None:
    """Ten requests of front end 3 + 8/16 + 1/4, prefill 2 and five rounds of 1 for five tokens after the first."""
    costs = made_up(host_step=1.0, host_prefill=2.0, delay=3.0, delay_token=1 / 16, stream=0.25, lookahead=1.0)
    out = closed(costs, 1.0, 10.0, 8.0, 6.0, 5.0, 1.0, 1.0)
    assert out.duration == 10 * (3.75 + 2 + 5)
    assert (out.mean_tpot, out.median_tpot) == (1.0, 1.0)
    assert (out.mean_ttft, out.median_ttft, out.p99_ttft) == (5.75, 5.75, 5.75)
    assert out.mean_e2e == 5.75 + 5 * 1.0
    assert (out.decode_batch, out.prefill_share) == (1.0, 0.0)


def test_three_clients_take_turns_in_one_slot() -> None:
    """Each request of 3 + 2 + 5 s waits for those of the two others, but for the very first."""
    out = closed(made_up(host_step=1.0, host_prefill=2.0, delay=3.0), 3.0, 10.0, 8.0, 6.0, 5.0, 1.0, 1.0)
    assert out.duration == 30 * 10
    assert out.mean_tpot == 1.0
    assert out.mean_ttft == pytest.approx(5 + 20 * 29 / 30, rel=1e-12)
    assert (out.median_ttft, out.p99_ttft) == (25.0, 25.0)
    assert out.mean_e2e == pytest.approx(out.mean_ttft + 5, rel=1e-12)


def test_answers_of_one_token_have_no_time_between_tokens_to_divide() -> None:
    out = closed(made_up(host_step=1.0, host_prefill=2.0), 1.0, 4.0, 8.0, 1.0, 1.0, 0.0, 1.0)
    assert out.duration == 4 * (2 + 1)
    assert out.mean_e2e == 2.0


@pytest.mark.parametrize("load", [0.2, 0.9])
@pytest.mark.parametrize("poll", [1.0, 5.0])
def test_rounds_free_of_the_batch_are_an_m_m_c_queue(load: float, poll: float) -> None:
    """Three slots of four rounds of 1 s: Erlang C; the front end streams to all who are there and to the new one."""
    rate, servers = load * 3 / 4, 3
    offered = rate * 4
    tail = offered**servers / math.factorial(servers) / (1 - load)
    wait = tail / (sum(offered**n / math.factorial(n) for n in range(servers)) + tail)
    costs = made_up(
        host_step=1.0, delay=0.5, delay_token=0.125, stream=0.25, lookahead=1.0, poll=poll, host_prefill=1e-12
    )
    out = opened(costs, rate, 4.0, 0.0, 7.0, 4.0, 3.0)
    assert out.capacity == pytest.approx(3 / 4, rel=1e-9)
    assert out.load == pytest.approx(load, rel=1e-9)
    assert out.batch == pytest.approx(offered, rel=1e-9)
    assert out.stay == pytest.approx(4.0, rel=1e-9)
    assert out.round_time == pytest.approx(1.0, rel=1e-9)
    assert out.slot_wait == pytest.approx(wait, rel=1e-9)
    assert out.slot_decay == pytest.approx(2 * (3 / 4 - rate), rel=1e-9)
    assert out.step == pytest.approx(1.0 + (poll - 1) / 2, rel=1e-9)
    assert out.start == pytest.approx(0.5 + 4 * 0.125 + 0.25 * (offered + 1) + 1.0, rel=1e-9)
    assert (out.prefill_load, out.stay_sd) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_answers_of_one_token_are_a_queue_of_prompts() -> None:
    """One prompt to a pass of 1/2 s and 0.4 a second: load 0.2, and the tail of the wait falls at 2 (1 - 0.2) / 0.5."""
    out = opened(made_up(host_prefill=0.5, chunk=4.0), 0.4, 4.0, 0.0, 1.0, 0.0, 8.0)
    assert (out.capacity, out.load) == pytest.approx((2.0, 0.2), rel=1e-12)
    assert (out.batch, out.stay, out.step, out.slot_wait) == (0.0, 0.0, 0.0, 0.0)
    assert out.start == pytest.approx(0.5, rel=1e-12)
    assert out.prefill_load == pytest.approx(0.2, rel=1e-9)
    assert out.prefill_decay == pytest.approx(2 * 0.8 / 0.5, rel=1e-9)


def test_prompts_that_come_prefilled_wait_for_no_prefill() -> None:
    costs = made_up(host_step=1.0, host_prefill=0.5, remote_prefill=1.0, delay=0.25)
    out = opened(costs, 0.3, 4.0, 1.0, 7.0, 4.0, 3.0)
    assert (out.start, out.prefill_load, out.prefill_decay) == (0.25, 0.0, 1e9)
    assert out.capacity == pytest.approx(3 / 4, rel=1e-9)


@pytest.mark.parametrize("rate", [0.8, 2.0])
def test_an_overloaded_queue_says_so(rate: float) -> None:
    out = opened(made_up(host_step=1.0, host_prefill=1e-12), rate, 4.0, 0.0, 7.0, 4.0, 3.0)
    assert out.load == pytest.approx(rate * 4 / 3, rel=1e-9)
    assert out.load > 1
    assert out.batch == pytest.approx(3.0, rel=1e-6)


# --- change alarms ----------------------------------------------------------------------------------------------------

PRICES = {"one": 0.004, "token": 2e-4, "pair": 3e-7, "logit": 5e-5, "cached": 4e-7, "state": 1e-4, "expert": 6e-4}
HOST = {"host_step": 3e-3, "host_request": 2e-4, "host_prefill": 0.02, "host_draft": 1e-3, "launch": 0.05}
FRONT = {"delay": 0.03, "delay_token": 5e-6, "stream": 3e-4}
ROUTING = {"experts": 64.0, "top_k": 4.0, "skew": 0.5, "correlation": 0.4}
DRAFTS = {"verify": 4.0, "single_drafts": 2.0, "extend": 1.0, "states": 7.0, "reload": 0.5, "prefill_states": 1.0}
PLAIN = {"states": 2.0, "prefill_states": 1.0, "split": 0.0, "chunk": 900.0}
SHARED = {"shared": 1.0, "lookahead": 1.0, "chunk": 700.0, **DRAFTS}
POLLED = {"poll": 6.0, "lookahead": 1.0, "chunk": 2000.0, **DRAFTS}
ENGINES = {"plain": PLAIN, "shared": SHARED, "polled": POLLED}


def engine(name: str) -> Costs:
    return made_up(**{**PRICES, **HOST, **FRONT, **ROUTING, **ENGINES[name]})


@pytest.mark.parametrize(
    ("name", "load", "expected"),
    [
        (
            "plain",
            (24.0, 8.0, 600.0, 300.0, 110.0, 9.0, 64.0),
            [
                106.94128633,
                0.04038606298,
                0.042086501538,
                0.81095302068,
                0.499067134,
                5.4754757784,
                12.886385852,
                23.171200689,
                0.47352373524,
            ],
        ),
        (
            "plain",
            (40.0, 6.0, 400.0, 200.0, 90.0, 20.0, 16.0),
            [
                98.931536654,
                0.030824393627,
                0.031349328114,
                9.4586467008,
                10.044154649,
                11.87035103,
                15.592701033,
                15.373953688,
                0.36808433555,
            ],
        ),
        (
            "plain",
            (2.0, 5.0, 350.0, 90.0, 40.0, 3.0, 8.0),
            [
                3.9232726458,
                0.0067151990557,
                0.0068853771816,
                0.22392230737,
                0.21199670962,
                0.34400345572,
                0.82157502332,
                1.7427980202,
                0.17397250425,
            ],
        ),
        (
            "shared",
            (24.0, 8.0, 600.0, 300.0, 110.0, 9.0, 64.0),
            [
                374.5649283,
                0.1431044326,
                0.14675910554,
                2.4361551582,
                1.7050517128,
                13.641671409,
                45.224380506,
                23.131011904,
                0.22719776771,
            ],
        ),
        (
            "shared",
            (40.0, 6.0, 400.0, 200.0, 90.0, 20.0, 16.0),
            [
                372.37141681,
                0.11706825595,
                0.11839707278,
                35.304200479,
                37.60694644,
                41.453806448,
                58.600783413,
                15.438127167,
                0.16373398784,
            ],
        ),
        (
            "shared",
            (2.0, 5.0, 350.0, 90.0, 40.0, 3.0, 8.0),
            [
                15.339088048,
                0.029625766078,
                0.029917548881,
                0.47383303738,
                0.46735711895,
                0.70824770114,
                3.1105262183,
                1.8505657023,
                0.082981651359,
            ],
        ),
        (
            "polled",
            (24.0, 8.0, 600.0, 300.0, 110.0, 9.0, 64.0),
            [
                362.37103802,
                0.13893856445,
                0.14226409136,
                2.5482202275,
                2.1676459744,
                9.3043563787,
                44.090850999,
                22.877384479,
                0.20838827425,
            ],
        ),
        (
            "polled",
            (40.0, 6.0, 400.0, 200.0, 90.0, 20.0, 16.0),
            [
                375.49476415,
                0.11693509255,
                0.11825931753,
                36.132225226,
                38.542539983,
                41.118113071,
                59.402308642,
                15.211441701,
                0.16999520174,
            ],
        ),
        (
            "polled",
            (2.0, 5.0, 350.0, 90.0, 40.0, 3.0, 8.0),
            [
                15.466351909,
                0.029338301457,
                0.029562066726,
                0.5824360659,
                0.60537023321,
                0.70820720817,
                3.1935448955,
                1.8128341919,
                0.08249806492,
            ],
        ),
    ],
)
def test_closed_loop_as_it_was(name: str, load: tuple[float, ...], expected: list[float]) -> None:
    """A change alarm: nothing says that these are right but the comparison with the discrete events over a sweep."""
    assert closed(engine(name), *load).tolist() == pytest.approx(tuple(expected), rel=1e-8)


@pytest.mark.parametrize(
    ("name", "load", "expected"),
    [
        (
            "plain",
            (0.5, 600.0, 0.3, 300.0, 110.0, 24.0),
            [
                1.9284869732,
                0.25927061316,
                0.82777930953,
                0.26990011944,
                0.010575,
                0.1181581691,
                6.8470018523,
                1.7933904326e-16,
                5.2492137868,
                1.6555586191,
                0.35023030594,
                0.013126789568,
            ],
        ),
        (
            "plain",
            (2.0, 200.0, 1.0, 60.0, 20.0, 12.0),
            [
                6.0272770527,
                0.33182479957,
                0.60726905685,
                0.13987895959,
                0.010211,
                0.094354874863,
                8.3599210388,
                6.2992761267e-09,
                22.864242529,
                0.30363452842,
                0.15059240807,
                0.013629361162,
            ],
        ),
        (
            "plain",
            (0.05, 500.0, 0.0, 200.0, 60.0, 40.0),
            [
                3.112874116,
                0.01606232637,
                0.032042179554,
                0.23253652504,
                0.01047,
                0.0099861958263,
                9.9138232556,
                6.6315639481e-83,
                16.193491344,
                0.64084359107,
                0.036380239609,
                0.010577779276,
            ],
        ),
        (
            "shared",
            (0.5, 600.0, 0.3, 300.0, 110.0, 24.0),
            [
                0.53828225027,
                0.92888071221,
                19.242060459,
                0.99993889808,
                0.27428089491,
                0.34324120633,
                1.7554157026,
                0.39023278607,
                0.098310886738,
                38.484120919,
                6.3608069018,
                0.34247845224,
            ],
        ),
        (
            "shared",
            (2.0, 200.0, 1.0, 60.0, 20.0, 12.0),
            [
                2.2503408047,
                0.88875427037,
                8.1142672244,
                0.49328623925,
                0.13854885174,
                0.18696117989,
                2.5343263813,
                0.26195811439,
                0.95572075206,
                4.0571336122,
                1.1729954926,
                0.19232387889,
            ],
        ),
        (
            "shared",
            (0.05, 500.0, 0.0, 200.0, 60.0, 40.0),
            [
                1.0475369104,
                0.047731015016,
                0.14828150984,
                0.45774320302,
                0.045545195297,
                0.018967391653,
                5.1722062069,
                9.6986345013e-55,
                3.0779417426,
                2.9656301969,
                0.2014252296,
                0.046718017305,
            ],
        ),
        (
            "polled",
            (0.5, 600.0, 0.3, 300.0, 110.0, 24.0),
            [
                0.52649398479,
                0.94967846632,
                20.210371568,
                0.80347040858,
                0.9901898209,
                0.174243433,
                3.1491890821,
                0.487851195,
                0.075576113165,
                40.420743136,
                6.2236374072,
                0.36117787924,
            ],
        ),
        (
            "polled",
            (2.0, 200.0, 1.0, 60.0, 20.0, 12.0),
            [
                2.080877515,
                0.96113297661,
                9.649063663,
                0.39788118023,
                0.53407974612,
                0.18754486685,
                3.8511248714,
                0.49495305837,
                0.49435123802,
                4.8245318315,
                1.4569253338,
                0.23340439938,
            ],
        ),
        (
            "polled",
            (0.05, 500.0, 0.0, 200.0, 60.0, 40.0),
            [
                1.0018857299,
                0.049905890969,
                0.14839437482,
                0.45810106375,
                0.15940818354,
                0.013783584247,
                5.194636445,
                1.0454674724e-54,
                3.0710827218,
                2.9678874963,
                0.20175059952,
                0.046723076662,
            ],
        ),
    ],
)
def test_open_loop_as_it_was(name: str, load: tuple[float, ...], expected: list[float]) -> None:
    """A change alarm, as above. Probabilities below 1e-12 count as none."""
    rate, prompt, cv, output, rounds, cap = load
    found = opened(engine(name), rate, prompt, cv, output, rounds, cap)
    assert found.tolist() == pytest.approx(tuple(expected), rel=1e-8, abs=1e-12)
