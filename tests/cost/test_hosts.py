"""Priors that published runs gave: kernels are the vendor's under every engine, host and front end one engine's."""

from __future__ import annotations

import pytest

from simulator.cost.hosts import HOSTS, host_priors, with_host
from simulator.cost.parameters import registry
from simulator.cost.priors import layered
from simulator.facts.reading import load_hardware


def test_what_ships_names_parameters_within_their_bounds() -> None:
    assert {("atom", "amd"), ("vllm", "nvidia")} <= set(host_priors())
    for one in host_priors().values():
        assert len(one.models) >= 3
        for name, prior in one.parameters.items():
            assert registry()[name].beyond(prior.value) is None
            assert prior.unit == registry()[name].unit


def test_its_own_engine_has_all_of_a_file() -> None:
    own = host_priors()["atom", "amd"]
    known, givers = with_host(registry(), "atom", "amd")
    assert givers == dict.fromkeys(own.parameters, own.name)
    assert {name: known[name].value for name in givers} == {name: p.value for name, p in own.parameters.items()}
    assert all(known[name] is registry()[name] for name in set(known) - set(givers))


@pytest.mark.parametrize("engine", ["vllm", "sglang", "some-other"])
def test_other_engines_have_the_kernels_and_not_the_host(engine: str) -> None:
    kernels = {name for name in host_priors()["atom", "amd"].parameters if not name.startswith(HOSTS)}
    known, givers = with_host(registry(), engine, "amd")
    assert set(givers) == kernels != set()
    assert known["host.launch_us"] is registry()["host.launch_us"]
    found = layered(load_hardware("mi355x"), engine=engine)
    assert {found.layers[name] for name in kernels} == {"vendor"}
    assert found.layers["host.launch_us"] == "generic"


def test_without_an_engine_nothing_is_of_runs() -> None:
    """A fit to runs must not begin from what the same runs gave."""
    assert with_host(registry(), None, "amd") == (registry(), {})
    assert "engine" not in layered(load_hardware("mi355x")).layers.values()


def test_what_tables_of_the_accelerator_have_is_theirs() -> None:
    """Attention of NVIDIA is in kernel tables, so no runs give it there."""
    assert not [name for name in host_priors()["vllm", "nvidia"].parameters if name.startswith("attention.")]
    found = layered(load_hardware("b200"), engine="vllm")
    assert found.layers["attention.fp8.walk_ns"] == "accelerator"
    assert found.layers["host.launch_us"] == "engine"
