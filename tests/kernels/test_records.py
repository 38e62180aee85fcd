"""Records are plain memory with names, the same for Python and for compiled code."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.passes import independent_tokens
from simulator.kernels.records import Record, State

KINDS = [kn.Constants, kn.Counters, kn.ClosedForm, kn.OpenForm, State]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_an_attribute_of_its_own(kind: type[Record]) -> None:
    # a field called like an attribute of numpy scalars would read as that attribute
    record = kn.zero(kind)
    for i, name in enumerate(record.dtype.names):
        setattr(record, name, i + 1)
    assert [getattr(record, name) for name in record.dtype.names] == list(range(1, len(record.dtype.names) + 1))
    assert record.tolist() == tuple(range(1, len(record.dtype.names) + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_pickles(kind: type[Record]) -> None:
    record = kn.zero(kind)
    setattr(record, record.dtype.names[-1], 7)
    again = pickle.loads(pickle.dumps(record))
    assert again == record
    assert again.dtype == kind.layout


def test_a_copy_has_memory_of_its_own() -> None:
    one = kn.zero(kn.Constants)
    other = one.copy()
    other.correlation = 1.0
    assert one.correlation == 0.0


def test_stacked_records_are_an_array_of_records() -> None:
    one, other = kn.zero(kn.Constants), kn.zero(kn.Constants)
    other.correlation = 0.5
    both = np.array([one, other])
    np.testing.assert_array_equal(both["correlation"], [0.0, 0.5])
    assert [independent_tokens(c, 3.0, 1.0) for c in both] == [3.0, 2.0]
