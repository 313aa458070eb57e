"""Where the numbers of a record lie, and into which bucket a value goes, asked of the Lua that runs in NGINX."""

from bisect import bisect_left
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sevengate.metrics import INHERITED, REQUESTS, bound_text
from sevengate.settings import Metering
from tests.nginx.test_twins import module, to_lua

METERS = module("meters")
DEFAULT = Metering()
BOUNDS = st.lists(st.integers(1, 10**9), min_size=1, max_size=20, unique=True).map(sorted)


def layout(times: list[float], lengths: list[float], sizes: list[float]) -> tuple[dict[str, Any], int]:
    conf = {"time_buckets": times, "length_buckets": lengths, "size_buckets": sizes}
    told = to_lua({name: "/".join(map(bound_text, bounds)) for name, bounds in conf.items()})
    families, width = METERS[b"layout"](told)
    return {name.decode(): family for name, family in families.items()}, int(width)


@given(BOUNDS, st.integers(0, 2 * 10**9))
def test_a_size_is_in_the_first_bucket_whose_bound_is_not_smaller(bounds: list[int], value: int) -> None:
    families, _ = layout([1.0], [float(bound_text(bound)) for bound in bounds], [1.0])
    shown = sorted(float(bound_text(bound)) for bound in bounds)
    assert families["request_size"][b"bucket"](value) == bisect_left(shown, value)


@given(BOUNDS, st.integers(0, 2 * 10**9))
def test_so_is_a_time_in_milliseconds(bounds: list[int], value: int) -> None:
    seconds = sorted({float(bound_text(bound / 1000)) for bound in bounds})
    families, _ = layout(seconds, [1.0], [1.0])
    milliseconds = [round(bound * 1000, 4) for bound in seconds]
    assert families["request_duration_seconds"][b"bucket"](value) == bisect_left(milliseconds, value)


def places(family: Any) -> list[int]:
    bounds = family[b"bounds"]
    buckets = [] if bounds is None else [family[b"first"] + family[b"step"] * at for at in range(len(bounds) + 1)]
    return [int(at) for at in (family[b"sum"], *buckets)]


def test_no_two_numbers_of_a_record_share_a_place() -> None:
    families, width = layout([*DEFAULT.time_buckets], [*DEFAULT.length_buckets], [*DEFAULT.size_buckets])
    taken = [place for family in families.values() for place in places(family)]
    assert len(set(taken)) == len(taken)
    assert sorted(taken) == [*range(len(taken))]
    assert len(taken) <= width < len(taken) + 8


def test_lua_counts_exactly_what_the_table_lists() -> None:
    families, _ = layout([1.0], [1.0], [1.0])
    assert {INHERITED + name for name in families} == {*REQUESTS}
