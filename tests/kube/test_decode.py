"""Objects of all kinds are read field by field; what cannot be read is told with its field and falls alone."""

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Severity
from sevengate.kube.decode import KINDS, LAST_APPLIED, MAX_ANNOTATIONS, decode, decode_json
from sevengate.kube.objects import (
    AnyObject,
    ConfigMap,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    Ingress,
    IngressClass,
    Metadata,
    Namespace,
    Node,
    Pod,
    Secret,
    Service,
    ServicePort,
    ServiceType,
)

SHOP = {"name": "shop", "namespace": "default"}
NAMED = Metadata("shop", "default")


def read(api_version: str, kind: str, **fields: Any) -> tuple[AnyObject | None, tuple[Diagnostic, ...]]:
    """Decode an object named default/shop both ways, which must agree, and give it with what was said about it."""
    plain = {"apiVersion": api_version, "kind": kind, "metadata": SHOP, **fields}
    report, of_json = Report(), Report()
    found = decode(plain, report)
    if (api_version, kind) in KINDS:
        assert decode_json(api_version, kind, json.dumps(plain).encode(), of_json) == found
        errors = [diagnostic for diagnostic in report if diagnostic.severity is Severity.ERROR]
        assert [diagnostic for diagnostic in of_json if diagnostic.severity is Severity.ERROR] == errors
    return found, report.done()


def sound(api_version: str, kind: str, **fields: Any) -> AnyObject | None:
    found, diagnostics = read(api_version, kind, **fields)
    assert diagnostics == ()
    return found


def complaint(api_version: str, kind: str, **fields: Any) -> tuple[str, str]:
    """Give code and field of the one complaint about an object that falls."""
    found, (diagnostic,) = read(api_version, kind, **fields)
    assert found is None
    return diagnostic.code, diagnostic.where.field


def test_a_service_is_read() -> None:
    spec = {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "externalIPs": ["1.2.3.4"],
        "ports": [
            {"port": 80},
            {"port": 443, "name": "https", "targetPort": "tls", "nodePort": 30443, "appProtocol": "https"},
            {"port": 53, "protocol": "UDP", "targetPort": 5353},
        ],
    }
    status = {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "lb.example"}, {}]}}
    assert sound("v1", "Service", spec=spec, status=status) == Service(
        metadata=NAMED,
        type=ServiceType.LOAD_BALANCER,
        cluster_ip="10.0.0.1",
        external_ips=("1.2.3.4",),
        ports=(
            ServicePort(80),
            ServicePort(443, name="https", target_port="tls", node_port=30443, app_protocol="https"),
            ServicePort(53, protocol="UDP", target_port=5353),
        ),
        load_balancer_ips=("5.6.7.8", "lb.example"),
    )


def test_an_external_name_is_read() -> None:
    spec = {"type": "ExternalName", "externalName": "shop.example"}
    expected = Service(metadata=NAMED, type=ServiceType.EXTERNAL_NAME, external_name="shop.example")
    assert sound("v1", "Service", spec=spec) == expected


def test_an_endpoint_slice_is_read_and_its_label_names_the_service() -> None:
    found = sound(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        metadata={**SHOP, "labels": {"kubernetes.io/service-name": "web", "x": "y"}, "annotations": {"z": "1"}},
        addressType="IPv6",
        endpoints=[
            {"addresses": ["fd00::1"], "conditions": {"ready": False, "serving": True}, "zone": "a", "nodeName": "n"},
            {"addresses": ["fd00::2"]},
            {"addresses": ["fd00::3"], "conditions": {"ready": None}},
        ],
        ports=[{"port": 8080, "name": "http"}, {"port": None}],
    )
    assert found == EndpointSlice(
        metadata=NAMED,
        service="web",
        address_type="IPv6",
        endpoints=(
            Endpoint(("fd00::1",), EndpointConditions(ready=False, serving=True), "a", "n"),
            Endpoint(("fd00::2",)),
            Endpoint(("fd00::3",)),
        ),
        ports=(EndpointPort(8080, "http"), EndpointPort()),
    )


def test_endpoints_are_read() -> None:
    subsets = [{"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]
    expected = EndpointSubset(("10.0.0.1",), ("10.0.0.2",), (EndpointPort(80),))
    assert sound("v1", "Endpoints", subsets=subsets) == Endpoints(metadata=NAMED, subsets=(expected,))


def test_a_secret_is_decoded_and_plain_text_wins_over_base64() -> None:
    data = {"a": base64.b64encode(b"\0\xff").decode(), "b": "b2xk", "c": "Yw\n==\n", "d": ""}
    found = sound("v1", "Secret", type="kubernetes.io/tls", data=data, stringData={"b": "new"})
    assert isinstance(found, Secret)
    assert found.type == "kubernetes.io/tls"
    assert dict(found.data) == {"a": b"\0\xff", "b": b"new", "c": b"c", "d": b""}


def test_a_secret_never_shows_its_data() -> None:
    found = sound("v1", "Secret", stringData={"password": "hunter2"})
    assert "hunter2" not in repr(found) + str(found)
    _, diagnostics = read("v1", "Secret", data={"password": "hunter2!", "other": 7})
    assert "hunter2" not in str(diagnostics)


def test_base64_that_is_none_is_told_with_its_key() -> None:
    assert complaint("v1", "Secret", data={"a": "eA==", "tls.crt": "%%%"}) == (
        "object/invalid-value",
        "data[tls.crt]",
    )


def test_a_config_map_and_a_namespace_are_read() -> None:
    assert sound("v1", "ConfigMap", data={"a": "b\nc"}) == ConfigMap(metadata=NAMED, data={"a": "b\nc"})
    assert sound("v1", "Namespace", metadata={"name": "shop", "labels": {"a": "b"}}) == Namespace(
        metadata=Metadata("shop", labels={"a": "b"})
    )


def test_a_node_is_read() -> None:
    addresses = [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "ExternalIP", "address": "1.2.3.4"},
        {"type": "Hostname", "address": "n1"},
    ]
    expected = Node(metadata=Metadata("n1"), external_ips=("1.2.3.4",), internal_ips=("10.0.0.1",))
    assert sound("v1", "Node", metadata={"name": "n1"}, status={"addresses": addresses}) == expected


def test_a_pod_is_ready_when_its_condition_says_so() -> None:
    def pod(ready: str) -> Pod:
        conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]
        status = {"podIP": "10.0.0.9", "conditions": conditions}
        found = sound("v1", "Pod", spec={"nodeName": "n1"}, status=status)
        assert isinstance(found, Pod)
        return found

    assert pod("True") == Pod(metadata=NAMED, node_name="n1", pod_ip="10.0.0.9", ready=True)
    assert not pod("False").ready
    assert not pod("Unknown").ready


def test_an_ingress_class_is_read_and_lives_in_no_namespace() -> None:
    found = sound("networking.k8s.io/v1", "IngressClass", spec={"controller": "k8s.io/ingress-nginx"})
    assert found == IngressClass(metadata=Metadata("shop"), controller="k8s.io/ingress-nginx")
    assert found.key == "shop"


@pytest.mark.parametrize("row", KINDS)
def test_null_is_taken_wherever_the_api_server_may_write_it(row: tuple[str, str]) -> None:
    fields: dict[str, Any] = dict.fromkeys(
        ("spec", "status", "data", "stringData", "endpoints", "ports", "subsets", "addressType")
    )
    nulls = dict.fromkeys(("labels", "annotations", "creationTimestamp", "uid", "generation"))
    found, diagnostics = read(*row, metadata={**SHOP, **nulls}, **fields)
    assert found is not None
    assert all(diagnostic.code == "manifest/old-version" for diagnostic in diagnostics)
    assert None not in [getattr(found, field) for field in found.__struct_fields__ if field in ("endpoints", "ports")]


def test_all_metadata_that_are_declared_are_read() -> None:
    metadata = {
        **SHOP,
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "deletionTimestamp": "2026-01-02T00:00:00Z",
        "labels": {"a": "b"},
        "annotations": {"c": "d", LAST_APPLIED: "{}"},
        "managedFields": [{}],
    }
    found = sound("v1", "ConfigMap", metadata=metadata)
    assert found is not None
    assert found.metadata == Metadata(
        "shop", "default", "u", "7", 3, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", {"a": "b"}, {"c": "d"}
    )


def test_a_missing_namespace_is_the_one_given_for_files_and_an_error_from_an_api_server() -> None:
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    report = Report()
    found = decode(plain, report, default_namespace="team")
    assert (found and found.key, len(report)) == ("team/a", 0)
    assert complaint("v1", "ConfigMap", metadata={"name": "a"}) == ("object/invalid-name", "metadata.namespace")


@pytest.mark.parametrize(
    ("metadata", "code", "field"),
    [
        ({}, "manifest/not-an-object", "metadata.name"),
        (None, "manifest/not-an-object", "metadata.name"),
        ({"generateName": "a-"}, "manifest/not-an-object", "metadata.name"),
        ({"name": ""}, "manifest/not-an-object", "metadata.name"),
        ({"name": 7}, "manifest/wrong-type", "metadata.name"),
        ("shop", "manifest/wrong-type", "metadata"),
        ({"name": "Shop"}, "object/invalid-name", "metadata.name"),
        ({"name": "a\n"}, "object/invalid-name", "metadata.name"),
        ({"name": "a\0b"}, "object/invalid-name", "metadata.name"),
        ({"name": "x" * 254}, "object/invalid-name", "metadata.name"),
        ({"name": "a/b"}, "object/invalid-name", "metadata.name"),
        ({"name": "a", "namespace": "b/c"}, "object/invalid-name", "metadata.namespace"),
        ({"name": "a", "namespace": "b.c"}, "object/invalid-name", "metadata.namespace"),
        ({**SHOP, "uid": "a\nb"}, "object/invalid-value", "metadata.uid"),
        ({**SHOP, "annotations": {"a": True}}, "manifest/wrong-type", "metadata.annotations[a]"),
        ({**SHOP, "annotations": {"b": "x", "e.x/a.b": None}}, "manifest/wrong-type", "metadata.annotations[e.x/a.b]"),
        ({**SHOP, "annotations": {"a ": "x"}}, "object/invalid-name", "metadata.annotations[a ]"),
        ({**SHOP, "annotations": {"a": "x" * MAX_ANNOTATIONS}}, "manifest/too-large", "metadata.annotations"),
        ({**SHOP, "annotations": ["a"]}, "manifest/wrong-type", "metadata.annotations"),
        ({**SHOP, "labels": {"a": 1}}, "manifest/wrong-type", "metadata.labels[a]"),
    ],
)
def test_metadata_that_no_api_server_takes_make_the_object_fall(metadata: object, code: str, field: str) -> None:
    assert complaint("networking.k8s.io/v1", "Ingress", metadata=metadata) == (code, field)


def test_names_of_services_and_namespaces_are_single_labels() -> None:
    assert complaint("v1", "Service", metadata={"name": "a.b", "namespace": "c"})[0] == "object/invalid-name"
    assert complaint("v1", "Namespace", metadata={"name": "a.b"})[0] == "object/invalid-name"
    assert sound("v1", "Secret", metadata={"name": "a.b", "namespace": "c"}) is not None


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"spec": []}, "manifest/wrong-type", "spec"),
        ({"spec": {"ports": {}}}, "manifest/wrong-type", "spec.ports"),
        ({"spec": {"ports": [{"name": "a"}]}}, "object/invalid-value", "spec.ports[0]"),
        ({"spec": {"ports": [{"port": 1}, {"port": "80"}]}}, "manifest/wrong-type", "spec.ports[1].port"),
        ({"spec": {"ports": [{"port": 0}]}}, "object/invalid-value", "spec.ports[0].port"),
        ({"spec": {"ports": [{"port": 65536}]}}, "object/invalid-value", "spec.ports[0].port"),
        ({"spec": {"ports": [{"port": 80.5}]}}, "manifest/wrong-type", "spec.ports[0].port"),
        ({"spec": {"ports": [{"port": 80, "targetPort": [1]}]}}, "manifest/wrong-type", "spec.ports[0].targetPort"),
        ({"spec": {"type": "clusterip"}}, "object/invalid-value", "spec.type"),
        ({"spec": {"externalName": "a\nb"}}, "object/invalid-value", "spec.externalName"),
        ({"status": {"loadBalancer": {"ingress": [7]}}}, "manifest/wrong-type", "status.loadBalancer.ingress[0]"),
    ],
)
def test_values_of_wrong_types_are_told_with_their_field(fields: dict[str, object], code: str, field: str) -> None:
    assert complaint("v1", "Service", **fields) == (code, field)


def test_a_number_where_text_is_due_comes_with_advice() -> None:
    _, (diagnostic,) = read("v1", "ConfigMap", data={"keepalive": 75})
    assert diagnostic.where.object == ObjectRef("ConfigMap", "default", "shop")
    assert diagnostic.where.field == "data[keepalive]"
    assert diagnostic.message == "Expected a string, got a whole number"
    assert diagnostic.hint == "put it in quotes"


@pytest.mark.parametrize("plain", [None, 7, "x", [], {}, {"kind": "Pod"}, {"apiVersion": 1, "kind": "Pod"}])
def test_what_is_no_object_is_said_to_be_none(plain: object) -> None:
    report = Report()
    assert decode(plain, report) is None
    assert [diagnostic.code for diagnostic in report] == ["manifest/not-an-object"]


def test_kinds_of_kubernetes_that_are_of_no_use_are_silently_passed_over() -> None:
    assert read("apps/v1", "Deployment") == (None, ())


def test_an_unknown_kind_gets_a_notice_and_an_unknown_version_a_warning() -> None:
    _, (unknown,) = read("example.com/v1", "Widget")
    assert (unknown.code, unknown.severity, unknown.where.field) == ("manifest/unknown-kind", "notice", "kind")
    _, (version,) = read("networking.k8s.io/v2", "Ingress")
    assert (version.code, version.severity, version.where.field) == ("manifest/unknown-kind", "warning", "apiVersion")
    assert "networking.k8s.io/v1" in version.message


@pytest.mark.parametrize("row", [row for row, kind in KINDS.items() if kind.successor])
def test_an_old_version_is_read_with_a_notice(row: tuple[str, str]) -> None:
    found, (diagnostic,) = read(*row)
    assert found is not None
    assert (diagnostic.code, diagnostic.severity) == ("manifest/old-version", Severity.NOTICE)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"metadata":{"name":"\xff"}}', b'{"spec":' * 5000, b"[]", b"7"])
def test_bytes_that_are_no_object_are_told_and_not_raised(raw: bytes) -> None:
    report = Report()
    assert decode_json("networking.k8s.io/v1", "Ingress", raw, report) is None
    assert len(report) == 1


def test_an_item_of_a_list_may_leave_out_kind_and_version() -> None:
    report = Report()
    raw = msgspec.Raw(b'{"metadata":{"name":"a","namespace":"b"},"data":{"k":"v"}}')
    assert decode_json("v1", "ConfigMap", raw, report) == ConfigMap(metadata=Metadata("a", "b"), data={"k": "v"})
    assert len(report) == 0


# --- whatever comes

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
WORDS = """
    metadata name namespace labels annotations spec status rules host http paths path pathType backend service port
    number serviceName servicePort resource tls hosts secretName defaultBackend ports targetPort data stringData
    endpoints addresses conditions ready subsets ip loadBalancer ingress type
"""
FIELDS = st.sampled_from(WORDS.split())
VALUES = st.recursive(
    SCALARS | st.sampled_from(["shop", "Prefix", "80", "/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)
TREES = st.dictionaries(FIELDS, VALUES, max_size=6)
SPECS = st.fixed_dictionaries(
    {"rules": st.lists(st.fixed_dictionaries({"http": st.fixed_dictionaries({"paths": st.lists(TREES) | VALUES})}))}
)


@given(st.sampled_from(sorted(KINDS)), TREES)
def test_no_tree_of_any_shape_raises(row: tuple[str, str], tree: dict[str, object]) -> None:
    report = Report()
    found = decode({"metadata": SHOP, **tree, "apiVersion": row[0], "kind": row[1]}, report)
    assert found is not None or len(report) > 0


@given(SPECS)
def test_an_ingress_keeps_its_rules_whatever_its_paths_hold(spec: dict[str, list[object]]) -> None:
    report = Report()
    plain = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": SHOP, "spec": spec}
    found = decode(plain, report)
    if isinstance(found, Ingress):
        assert len(found.rules) == len(spec["rules"])
    else:
        assert len(report) > 0


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()), st.sampled_from(sorted(KINDS)))
def test_no_bytes_raise(raw: bytes, row: tuple[str, str]) -> None:
    report = Report()
    found = decode_json(*row, raw, report)
    assert found is not None or len(report) > 0


@pytest.mark.parametrize(
    "spec",
    [
        {"rules": [{"http": {"paths": [{"path": "/", "pathType": "\ud800"}]}}]},
        {"rules": [{"http": {"paths": [None, {"path": "/", "pathType": "\ud800"}]}}]},
    ],
)
def test_half_of_a_surrogate_pair_is_told_and_not_raised(spec: object) -> None:
    report = Report()
    plain = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": SHOP, "spec": spec}
    assert decode(plain, report) is None
    assert report.done()[-1].message == "A text holds half of a surrogate pair, which is no character"
