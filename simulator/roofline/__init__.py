"""Where the time of a forward pass goes, operator by operator: the account behind ``mtpsim explain``.

Plain Python on the operators of :mod:`simulator.operators`, without the compiled kernels; a test holds the two to the
same sum. Everything is per GPU and in SI units (second, byte, FLOP).
"""

from simulator.roofline.account import Account
from simulator.roofline.cost import Bound, OperatorCost, account, ridge
from simulator.roofline.explain import explain_prefill, explain_round
from simulator.roofline.loads import Load, Routing, decode_load, extend_load, prefill_load, verify_load

__all__ = [
    "Account",
    "Bound",
    "Load",
    "OperatorCost",
    "Routing",
    "account",
    "decode_load",
    "explain_prefill",
    "explain_round",
    "extend_load",
    "prefill_load",
    "ridge",
    "verify_load",
]
