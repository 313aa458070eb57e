import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.metrics import (
    CONTROLLER,
    INHERITED,
    METRICS,
    NGINX,
    OF_CONTROLLER,
    OF_WEBHOOK,
    REQUESTS,
    Kind,
    Sample,
    bound_text,
    histogram,
    label_text,
    written,
)
from tests.scrape import read

ORPHAN = f"{INHERITED}orphan_ingress"
WAIT = "sevengate_event_to_live_seconds"


def test_every_family_is_ours_by_its_name_or_was_ingress_nginxs() -> None:
    assert [name for name in METRICS if not name.startswith((INHERITED, "sevengate_"))] == []
    assert len(METRICS) == len(REQUESTS) + len(NGINX) + len(OF_CONTROLLER) + len(OF_WEBHOOK)


def test_our_own_counters_are_named_as_prometheus_wants_them() -> None:
    ours = {name: family for name, family in METRICS.items() if not name.startswith(INHERITED)}
    assert [name for name, one in ours.items() if (one.kind is Kind.COUNTER) != name.endswith("_total")] == []


def test_no_family_has_a_label_twice() -> None:
    for family in METRICS.values():
        labels = (*family.labels, *(CONTROLLER if family.everywhere else ()))
        assert len(set(labels)) == len(labels)


@given(st.text(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_is_written_prometheus_reads_back(pod: str, ingress: str, value: float) -> None:
    scrape = read(written(ORPHAN, [Sample(value, {"ingress": ingress, "type": "x"})], {"controller_pod": pod}))
    assert scrape.values == {
        (ORPHAN, frozenset({("ingress", ingress), ("type", "x"), ("controller_pod", pod)})): value,
    }
    assert (scrape.kinds, scrape.help) == ({ORPHAN: "gauge"}, {ORPHAN: METRICS[ORPHAN].help})


def test_a_family_without_a_sample_is_announced_all_the_same() -> None:
    assert read(written(ORPHAN, [], {})).kinds == {ORPHAN: "gauge"}


def test_the_buckets_of_a_histogram_add_up() -> None:
    scrape = read(written(WAIT, histogram([1, 0, 2], (0.5, 1.0), 7.25), {}))
    assert [scrape.one(f"{WAIT}_bucket", le=bound) for bound in ("0.5", "1", "+Inf")] == [1, 1, 3]
    assert (scrape.one(f"{WAIT}_sum"), scrape.one(f"{WAIT}_count")) == (7.25, 3)


@pytest.mark.parametrize(
    ("bound", "text"), [(0.005, "0.005"), (1.0, "1"), (100_000, "100000"), (1e6, "1e+06"), (float("inf"), "+Inf")]
)
def test_bounds_are_written_as_gos_client_does(bound: float, text: str) -> None:
    assert bound_text(bound) == text


def test_labels_can_be_put_before_others() -> None:
    assert label_text({"a": 'x"\\\n', "b": ""}) == 'a="x\\"\\\\\\n",b="",'
