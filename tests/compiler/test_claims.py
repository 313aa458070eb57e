"""Who is older, and what Backends are called."""

from hypothesis import given
from hypothesis import strategies as st

from sevengate.compiler.claims import BackendRef, seniority

times = st.sampled_from(["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z"])
keys = st.text("ab-./1", min_size=1, max_size=5)


@given(times, times, keys, keys)
def test_the_older_is_senior_and_of_one_age_the_greater_name(one: str, other: str, key: str, other_key: str) -> None:
    expected = one < other or (one == other and key > other_key)
    assert (seniority(one, key) < seniority(other, other_key)) == expected


@given(times, keys, keys)
def test_what_is_not_created_yet_is_the_youngest(created: str, key: str, other: str) -> None:
    assert seniority(created, key) < seniority("", other)


def test_a_backend_is_called_by_service_and_port() -> None:
    ref = BackendRef.of("default/shop", "80", by_cluster_ip=True)
    assert (ref.name, ref.label, ref.service) == ("default/shop:80@service", "default-shop-80", "shop")
