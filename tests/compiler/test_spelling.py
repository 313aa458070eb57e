"""Names one slip apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.compiler.spelling import neighbours

names = st.text("abc-1", min_size=1, max_size=6)


@pytest.mark.parametrize("slip", ["shpo", "sop", "shopp", "ship", "shop-svc", "shop-service", "hsop"])
def test_a_slip_is_found(slip: str) -> None:
    assert "shop" in set(neighbours(slip))


@given(names, st.integers(0, 500))
def test_being_neighbours_is_mutual(name: str, at: int) -> None:
    around = [near for near in neighbours(name) if near]
    assert name in set(neighbours(around[at % len(around)]))


@given(names)
def test_nobody_is_his_own_neighbour(name: str) -> None:
    assert name not in set(neighbours(name))
