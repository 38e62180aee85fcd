"""What clients of the live chart see who each move a slider once a second.

    python benchmarks/page_load.py           # 50 clients, a minute
    python benchmarks/page_load.py --quick   # 4 clients, 3 seconds

Starts ``mtpsim serve`` on a free port of loopback and prints errors, latencies and the memory of the server. Each
client walks over the steps of the acceptance slider (0.05 tokens per round) of the page as it opens. Exit status 1 if a
request fails; the goals (p95 below 2 s, memory that grows by less than a tenth from a third of the way on) are printed
beside, and the processor time of the server, since other programs on the machine take their part of the latencies.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

STEP, LOW, HIGH = 0.05, 1.0, 4.0
SECONDS_OF_A_REQUEST = 120.0
P95_GOAL, GROWTH_GOAL = 2.0, 0.1


@dataclass
class Seen:
    """What all clients saw together."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def resident(pid: int) -> float:
    """Resident memory of a process, MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1e3 if found else float("nan")


def processor(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    cells = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


async def move(client: httpx.AsyncClient, seen: Seen, seed: int, seconds: float) -> None:
    """One client: a step of the slider up or down every second."""
    rng = random.Random(seed)
    place, end = rng.uniform(LOW, HIGH), time.monotonic() + seconds
    await asyncio.sleep(rng.random())
    while time.monotonic() < end:
        begin = time.monotonic()
        place = min(HIGH, max(LOW, place + rng.choice((-2, -1, 1, 2)) * STEP))
        state = {"acceptance": f"length:{round(place / STEP) * STEP:.2f}"}
        try:
            reply = await client.post("/api/curve?intervals=false", json=state)
            if reply.status_code != 200:
                seen.errors.append(f"{reply.status_code} {reply.text[:80]}")
        except httpx.HTTPError as fault:
            seen.errors.append(type(fault).__name__)
        took = time.monotonic() - begin
        seen.seconds.append(took)
        await asyncio.sleep(max(0.0, 1.0 - took))


async def load(address: str, pid: int, clients: int, seconds: float) -> tuple[Seen, list[float]]:
    """All clients at once, and the memory of the server a dozen times on the way."""
    seen, memory = Seen(), [resident(pid)]
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=SECONDS_OF_A_REQUEST, limits=limits) as client:
        work = [asyncio.ensure_future(move(client, seen, seed, seconds)) for seed in range(clients)]
        while any(not one.done() for one in work):
            await asyncio.sleep(seconds / 12)
            memory.append(resident(pid))
        await asyncio.gather(*work)
    return seen, memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    clients, seconds = (4, 3.0) if options.quick else (options.clients, options.seconds)
    command = [sys.executable, "-m", "simulator", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            found = re.search(r"http://\S+", (server.stdout or sys.stdin).readline())
            if found is None:
                print("the server did not start")
                return 1
            before = processor(server.pid)
            seen, memory = asyncio.run(load(found[0], server.pid, clients, seconds))
            spent = processor(server.pid) - before
        finally:
            server.terminate()
    times = sorted(seen.seconds)
    p95 = times[int(0.95 * (len(times) - 1))]
    settled = memory[len(memory) // 3]
    print(f"{clients} clients, {seconds:g} s: {len(times)} requests, {len(seen.errors)} errors")
    print(f"processor time of the server: {spent:.1f} s, {1e3 * spent / len(times):.1f} ms a request")
    print(
        f"seconds: median {statistics.median(times):.3f}, p95 {p95:.3f} (goal {P95_GOAL:g}), "
        f"p99 {times[int(0.99 * (len(times) - 1))]:.3f}, most {times[-1]:.3f}"
    )
    print(
        f"memory of the server, MB: {memory[0]:.0f} before, {settled:.0f} a third of the way on, "
        f"{memory[-1]:.0f} after ({memory[-1] / settled - 1:+.1%} since then, goal {GROWTH_GOAL:.0%})"
    )
    for text in sorted(set(seen.errors))[:5]:
        print(f"error: {text}")
    return int(bool(seen.errors))


if __name__ == "__main__":
    sys.exit(main())
