"""Print how fast mtpsim is, as ratios against stated rivals that are timed in the same run.

    python benchmarks/speed.py          # half a minute
    python benchmarks/speed.py --check  # exit status 1 if a goal is missed
    python benchmarks/speed.py --quick  # small sizes and no goals: only that everything still runs

Compiled code is warmed outside the timer, and every time is the least of several. The command line starts a process
each time, in turns with its rival. The same code uncompiled is no rival: fields of numpy records are so slow in plain
Python that it would flatter the compiler by more than an order. The goals of memory and of the command line are the
project's; the others only raise an alarm when the cost of something changes its order.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import resource
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.cost.parameters import priors
from simulator.facts.deployment import Deployment
from simulator.serving.batch import Case, cores, expected_batch
from simulator.serving.closed_loop import (
    Run,
    closed_form_load,
    closed_form_loads,
    closed_form_metrics,
    metrics,
    run_closed_loop,
)
from simulator.serving.replica import build_replica
from simulator.serving.scenario import resolve_deployment, resolve_workload
from simulator.speculation.acceptance import OFF, Speculation, from_length
from simulator.units import GIGA, KILO, MICRO

NO_CAP = 10**9
MTP = from_length(2.8, 3)
MTPSIM = "import sys; from simulator.cli import main; sys.exit(main())"
IMPORTS = "import numpy, scipy, numba"
HOUR = ["simulate", "--rate", "40", "--tp", "4", "--mtp", "3", "--replicas", "20", "--isl", "8192", "--format", "json"]
TWENTY = ["predict", "--mtp", "0,3", "--tp", "2,4", "--concurrency", "4,8,16,32,64", "--format", "json"]


@dataclass(frozen=True)
class Size:
    """How much work a run of the benchmark does."""

    configurations: int
    repeats: int
    processes: int
    requests_per_client: int
    million: int
    batch: int


WHOLE = Size(100_000, 5, 9, 10, 1_000_000, 2_000)
SMALL = Size(48, 1, 1, 2, 2_000, 4)


@dataclass(frozen=True)
class Line:
    """One measured figure; ``goal`` bounds it from above, or from below if it should be large."""

    name: str
    value: float
    goal: float
    large: bool
    note: str

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.large else self.value <= self.goal

    def text(self, judged: bool) -> str:
        """One line of the table."""
        sign = "at least" if self.large else "at most"
        verdict = ("met" if self.met else "MISSED") if judged else ""
        return f"{self.name:62s}{self.value:10.3g}  {f'{sign} {self.goal:g}':14s}{verdict:8s}{self.note}"


@functools.cache
def deployment(tp: int) -> Deployment:
    """The defaults of the command line; its profiles are read outside the timer."""
    return resolve_deployment(hardware="mi355x", model="qwen3.5-397b-a17b", engine="sglang", tp=tp, precision="fp4")


def least(repeats: int, work: Callable[[], object]) -> float:
    """Least seconds of several calls, after one outside the timer."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def closed_form(configurations: int) -> NDArray[np.float64]:
    """A sweep: TP 2, 4, 8 by draft depth 0 to 3 by input length by concurrency; returns throughputs.

    Operator tables and loads are built inside, as in a sweep that a user asks for.
    """
    depths = [OFF, *(from_length(1 + 0.6 * k, k) for k in (1, 2, 3))]
    cases = [(deployment(tp), spec) for tp in (2, 4, 8) for spec in depths]
    lengths = (1024, 2048, 4096, 8192)
    many = math.ceil(configurations / (len(cases) * len(lengths)))
    workloads = [resolve_workload(isl, 1024) for isl in lengths]
    plans = [build_replica(d, spec, priors()) for d, spec in cases]
    concurrency = np.arange(many) + 1
    loads = np.concatenate([closed_form_loads(w, spec, concurrency, NO_CAP) for _, spec in cases for w in workloads])
    which = np.repeat(np.arange(len(cases)), many * len(lengths))
    gpus = np.repeat([float(d.tp) for d, _ in cases], many * len(lengths))
    return closed_form_metrics(plans, which, loads, gpus)["total_tok_s_gpu"]


def events(spec: Speculation, osl: int, per_client: int, concurrency: int = 64) -> Run:
    """One run of the discrete events: 8k input, TP 4; 640 requests with ten per client."""
    d = deployment(4)
    workload = resolve_workload(8192, osl, requests_per_client=per_client)
    plan = build_replica(d, spec, priors())
    return run_closed_loop(plan, workload, spec, concurrency, NO_CAP, np.random.default_rng(0))


def cases(count: int, per_client: int) -> list[Case]:
    """So many parameter sets of the same benchmark as :func:`events`, with MTP: what a posterior or a study asks for.

    Operator tables are made here, outside the timer: they cost the same one by one.
    """
    d, workload = deployment(4), resolve_workload(8192, 1024, requests_per_client=per_client)
    step = priors()["host.step_us"]
    sets = [{**priors(), "host.step_us": step * factor} for factor in np.linspace(0.8, 1.2, count)]
    return [Case(build_replica(d, MTP, one), workload, MTP, 64, NO_CAP, 4, runs=1) for one in sets]


def closed_form_of(many: Sequence[Case]) -> NDArray[np.float64]:
    """The same configurations by the closed form."""
    loads = np.array([closed_form_load(c.workload, c.speculation, c.concurrency, c.cap) for c in many[:1]])
    gpus = np.array([float(case.gpus) for case in many])
    loads = np.repeat(loads, len(many), axis=0)
    found = closed_form_metrics([case.replica for case in many], np.arange(len(many)), loads, gpus)
    return found["total_tok_s_gpu"]


def kernel_of(run: Run, spec: Speculation) -> Callable[[], None]:
    """The kernel alone, on the lengths and rounds of a run."""
    plan = build_replica(deployment(4), spec, priors())
    clients = int((run.send == 0.0).sum())
    tables = plan.target, plan.draft, plan.constants

    def work() -> None:
        send, first, finish = (np.zeros_like(x) for x in (run.send, run.first, run.finish))
        requests = kn.Requests(send, run.prompt, run.output, run.rounds, first, finish)
        kn.serve(*tables, float(NO_CAP), requests, clients, kn.zero(kn.Counters))

    return work


def stretches(run: Run) -> float:
    """Passes of the kernel's loop: prefill passes, and decode rounds between two events as one."""
    return float(run.counters.prefills + run.counters.stretches)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_memory(requests: int) -> float:
    """Peak resident GB of this process after a run of so many requests and its metrics."""
    run = events(MTP, 1024, requests // 100, concurrency=100)
    metrics(run, 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIGA


def alone(job: str, size: Size) -> dict[str, float]:
    """The answer of a process of its own, see :func:`main`."""
    quick = ["--quick"] if size is SMALL else []
    answer = subprocess.run(
        [sys.executable, __file__, "--job", job, *quick],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    out: dict[str, float] = json.loads(answer.stdout)
    return out


def processes(times: int, commands: Sequence[Sequence[str]]) -> list[float]:
    """Least seconds of each command, taken in turns, after one round outside the timer."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(times + 1):
        for command, of_one in zip(commands, seconds, strict=True):
            run = partial(subprocess.run, [sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
            of_one.append(timed(run))
    return [min(of_one[1:]) for of_one in seconds]


def look_ups(size: Size) -> Line:
    """The prefix cache against the same rules over a Python dictionary: prompts of a conversation that grows."""
    turns, plays, capacity = 40, max(2, size.batch // 100), 20_000
    of, first = np.arange(turns + 1), np.zeros(turns, np.int64)
    paths = kn.Paths(of, first, np.linspace(500, 2500, turns).astype(np.int64))
    play, request = (x.ravel() for x in np.meshgrid(np.arange(plays), np.arange(turns)))
    last, found, ideal = (request == turns - 1).astype(np.int64), *np.zeros((2, play.size), np.int64)
    sizes = np.full(plays, 2500)
    ours = least(size.repeats, lambda: kn.lru_hits(paths, sizes, play, request, last, capacity, found, ideal))

    def plain() -> None:
        cache: OrderedDict[tuple[int, int], None] = OrderedDict()
        for p, r in zip(play.tolist(), request.tolist(), strict=True):
            ids = [(p, b) for b in range(paths.size[r])]
            for one in ids:
                if one not in cache:
                    break
            for one in reversed(ids):
                cache[one] = None
                cache.move_to_end(one)
            while len(cache) > capacity:
                cache.popitem(last=False)

    theirs, blocks = least(1, plain), int(paths.size[request].sum())
    note = f"{blocks / ours:,.0f} blocks/s on one core against {blocks / theirs:,.0f}"
    return Line("prefix cache: times faster than an OrderedDict", theirs / ours, 10, True, note)


def lines(size: Size) -> Iterator[Line]:
    """Every figure, as it is measured."""
    count = closed_form(size.configurations).size
    each = least(size.repeats, partial(closed_form, size.configurations)) / count
    note = f"{1 / each:,.0f} configurations/s on one core (orientation: 100,000)"
    yield Line("closed form over a sweep: us a configuration", each / MICRO, 100, False, note)

    run = events(MTP, 1024, size.requests_per_client)
    kernel = least(20 * size.repeats, kernel_of(run, MTP))
    whole = least(size.repeats, partial(events, MTP, 1024, size.requests_per_client))
    note = f"{run.send.size} requests of 8k/1k at 64, with the drawing; {kernel * KILO:.3f} ms in the kernel"
    yield Line("discrete events: ms a run", whole * KILO, 20, False, note)

    note = f"{each / MICRO:.1f} us against {whole / MICRO:.0f} us a configuration"
    yield Line("closed form: times faster than the discrete events", whole / each, 20, True, note)

    many = cases(size.batch, size.requests_per_client)
    batch = least(size.repeats, partial(expected_batch, many, 1)) / len(many)
    note = f"{run.send.size} requests each, lengths and rounds drawn once, one thread; {cores()} cores here"
    yield Line("batch of discrete events: configurations/s and core", 1 / batch, 5000, True, note)
    loop = least(size.repeats, lambda: [expected_batch([case], 1) for case in many[:50]]) / min(50, len(many))
    note = f"{batch / MICRO:.0f} us against {loop / MICRO:.0f} us a configuration"
    yield Line("batch: times faster than the loop of single runs", loop / batch, 4, True, note)
    formula = least(size.repeats, partial(closed_form_of, many)) / len(many)
    note = f"{batch / MICRO:.0f} us against {formula / MICRO:.1f} us a configuration"
    yield Line("batch: times slower than the closed form", batch / formula, 40, False, note)

    short, long = events(OFF, 1024, size.requests_per_client), events(OFF, 8192, size.requests_per_client)
    seconds = [least(size.repeats, kernel_of(r, OFF)) for r in (short, long)]
    note = f"{short.counters.rounds:,.0f} and {long.counters.rounds:,.0f} rounds"
    note += f" in {stretches(short):,.0f} and {stretches(long):,.0f} passes of the loop"
    yield Line("discrete events: 8k output against 1k, time", seconds[1] / seconds[0], 2, False, note)
    requests = short.send.size
    yield Line("discrete events: passes of the loop per request", stretches(long) / requests, 3, False, "8k/8k")

    yield look_ups(size)

    memory = alone("memory", size)["gb"]
    yield Line(
        f"a run of {size.million:,} requests: peak resident GB", memory, 1, False, "the process, libraries and all"
    )

    imports, predict, help_text = processes(
        size.processes, [("-c", IMPORTS), ("-c", MTPSIM, *TWENTY), ("-c", MTPSIM, "--help")]
    )
    note = f"{predict:.3f} s against {imports:.3f} s"
    yield Line(f'mtpsim predict of 20 against python -c "{IMPORTS}"', predict / imports, 2, False, note)
    yield Line("mtpsim --help: seconds", help_text, 0.3, False, f"{help_text / imports:.2f} of the imports")

    hour = [*HOUR, "--duration", "1min" if size is SMALL else "1h"]
    (simulate,) = processes(1, [("-c", MTPSIM, *hour)])
    yield Line("mtpsim simulate of an hour at 40 requests/s: seconds", simulate, 5, False, "20 replicas of TP4, 8k/1k")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; with ``--check`` return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing judged")
    parser.add_argument("--job", choices=("memory",), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    size = SMALL if options.quick else WHOLE
    if options.job is not None:
        print(json.dumps({"gb": peak_memory(size.million)}))
        return 0
    missed = 0
    for line in lines(size):
        print(line.text(judged=not options.quick), flush=True)
        missed += not line.met
    return 1 if options.check and not options.quick and missed else 0


if __name__ == "__main__":
    sys.exit(main())
