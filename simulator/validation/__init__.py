"""Can a measured curve be true? Identities, physical roofs, expectations, and the acceptance that pairs imply."""

from simulator.validation.expectation import Expected
from simulator.validation.pairs import Pair, Pooled
from simulator.validation.reason import Reason, Verdict
from simulator.validation.report import Report, RowVerdict
from simulator.validation.roofs import Roofs, roofs
from simulator.validation.verdict import judge

__all__ = ["Expected", "Pair", "Pooled", "Reason", "Report", "Roofs", "RowVerdict", "Verdict", "judge", "roofs"]
