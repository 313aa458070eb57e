from typing import Any

import pytest

from sevengate.lab.controllers.fit import is_wanted, summary, untolerated, why_never
from sevengate.lab.mirror import Object

NODE: Object = {
    "metadata": {"name": "node01", "labels": {"zone": "a", "size": "8"}},
    "spec": {"taints": [{"key": "dedicated", "value": "gate", "effect": "NoSchedule"}]},
}


def wanting(**rule: Any) -> Object:
    terms = [{"matchExpressions": [rule]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"spec": {"affinity": {"nodeAffinity": required}}}


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"key": "zone", "operator": "In", "values": ["a", "b"]}, True),
        ({"key": "zone", "operator": "In", "values": ["b"]}, False),
        ({"key": "rack", "operator": "In", "values": ["a"]}, False),
        ({"key": "zone", "operator": "NotIn", "values": ["a"]}, False),
        ({"key": "rack", "operator": "NotIn", "values": ["a"]}, True),
        ({"key": "zone", "operator": "Exists"}, True),
        ({"key": "rack", "operator": "Exists"}, False),
        ({"key": "zone", "operator": "DoesNotExist"}, False),
        ({"key": "rack", "operator": "DoesNotExist"}, True),
        ({"key": "size", "operator": "Gt", "values": ["4"]}, True),
        ({"key": "size", "operator": "Gt", "values": ["8"]}, False),
        ({"key": "size", "operator": "Lt", "values": ["9"]}, True),
        ({"key": "zone", "operator": "Gt", "values": ["4"]}, False),
        ({"key": "zone", "operator": "Near", "values": ["a"]}, False),
    ],
)
def test_node_affinity_means_what_its_operator_says(rule: Object, fits: bool) -> None:
    assert is_wanted(wanting(**rule), NODE) is fits


def test_one_term_of_node_affinity_is_enough_and_an_empty_one_is_none() -> None:
    named = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node01"]}]}
    for terms, fits in (([{}, named], True), ([{}], False), ([], False)):
        required: Object = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        assert is_wanted({"spec": {"affinity": {"nodeAffinity": required}}}, NODE) is fits


@pytest.mark.parametrize(
    ("toleration", "is_tolerated"),
    [
        ({"key": "dedicated", "operator": "Equal", "value": "gate", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "gate"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"value": "gate"}, False),
    ],
)
def test_a_taint_is_tolerated_by_key_value_and_effect(toleration: Object, is_tolerated: bool) -> None:
    assert (untolerated({"spec": {"tolerations": [toleration]}}, NODE) is None) is is_tolerated


def test_the_reason_names_the_taint() -> None:
    assert why_never({"spec": {}}, NODE) == "node(s) had untolerated taint {dedicated: gate}"


def test_reasons_are_counted_and_sorted() -> None:
    said = summary(["Too many pods", "node(s) were unschedulable", "Too many pods"])
    assert said == (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Too many pods. preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )
