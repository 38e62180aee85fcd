"""Discrete events of many replicas under the same closed-loop benchmark, in one call."""

from __future__ import annotations

from simulator.kernels.compiled import compiled
from simulator.kernels.records import Array, Indices, Records, Requests
from simulator.kernels.replica import serve


@compiled
def serve_batch(
    targets: Array,
    drafts: Array,
    plans: Records,
    caps: Array,
    which: Indices,
    prompt: Array,
    output: Array,
    rounds: Array,
    lengths_of: Indices,
    rounds_of: Indices,
    clients: int,
    send: Array,
    first: Array,
    finish: Array,
    counters: Records,
) -> None:
    """:func:`serve` once per run: ``r`` runs of ``n`` requests each by ``clients`` closed-loop clients.

    ``targets``, ``drafts``: operator tables of the configurations, shape (m, rows, 14); ``plans``: their constants, m
    records; ``caps``: how many requests run at once, shape (m,). ``which``: configuration of each run, shape (r,).
    ``prompt``, ``output``: drawn lengths, shape (d, n), of which run i takes row ``lengths_of[i]``; ``rounds``, shape
    (e, n), likewise by ``rounds_of``. Fills ``send``, ``first`` and ``finish``, shape (r, n), and ``counters``, r
    records. Runs share nothing that changes, so calls may run side by side.
    """
    for i in range(which.shape[0]):
        j, d = which[i], lengths_of[i]
        requests = Requests(send[i], prompt[d], output[d], rounds[rounds_of[i]], first[i], finish[i])
        serve(targets[j], drafts[j], plans[j], caps[j], requests, clients, counters[i])
