"""An Ingress of any version becomes the same Ingress; what is wrong with one path leaves the others alone."""

from typing import Any

import pytest

from sevengate.diagnostics import Diagnostic, Report, Severity
from sevengate.kube.decode import decode
from sevengate.kube.objects import (
    Ingress,
    IngressBackend,
    IngressPath,
    IngressRule,
    IngressTLS,
    Metadata,
    PathType,
    ResourceRef,
    ServicePortRef,
    ServiceRef,
)

V1 = "networking.k8s.io/v1"
OLD = ("extensions/v1beta1", "networking.k8s.io/v1beta1")
SHOP = {"name": "shop", "namespace": "default"}
WEB = {"service": {"name": "web", "port": {"number": 80}}}
TO_WEB = IngressBackend(ServiceRef("web", ServicePortRef(number=80)))
NOWHERE = IngressBackend()


def read(spec: object, version: str = V1, **metadata: Any) -> tuple[Ingress | None, tuple[Diagnostic, ...]]:
    report = Report()
    plain = {"apiVersion": version, "kind": "Ingress", "metadata": {**SHOP, **metadata}, "spec": spec}
    found = decode(plain, report)
    assert found is None or isinstance(found, Ingress)
    return found, tuple(diagnostic for diagnostic in report if diagnostic.severity is Severity.ERROR)


def paths_of(paths: list[object], version: str = V1) -> tuple[tuple[IngressPath | None, ...], list[tuple[str, str]]]:
    """Give the paths that are read of those of one rule, and codes and fields of the complaints."""
    found, errors = read({"rules": [{"http": {"paths": paths}}]}, version)
    assert found is not None
    (rule,) = found.rules
    assert rule.paths is not None
    return rule.paths, [(error.code, error.where.field) for error in errors]


def test_an_ingress_is_read() -> None:
    spec = {
        "ingressClassName": "nginx",
        "defaultBackend": {"resource": {"apiGroup": "k8s.example", "kind": "Bucket", "name": "b"}},
        "tls": [{"hosts": ["a.example"], "secretName": "a-tls"}, {"hosts": None}],
        "rules": [
            {
                "host": "a.example",
                "http": {
                    "paths": [
                        {"path": "/shop", "pathType": "Prefix", "backend": WEB},
                        {
                            "pathType": "ImplementationSpecific",
                            "backend": {"service": {"name": "api", "port": {"name": "http"}}},
                        },
                    ]
                },
            },
            {"host": "b.example"},
            {"http": {"paths": []}},
        ],
    }
    found, errors = read(spec)
    assert errors == ()
    assert found == Ingress(
        metadata=Metadata("shop", "default"),
        ingress_class_name="nginx",
        default_backend=IngressBackend(resource=ResourceRef("Bucket", "b", "k8s.example")),
        tls=(IngressTLS(("a.example",), "a-tls"), IngressTLS()),
        rules=(
            IngressRule(
                "a.example",
                (
                    IngressPath(TO_WEB, "/shop", PathType.PREFIX),
                    IngressPath(IngressBackend(ServiceRef("api", ServicePortRef(name="http")))),
                ),
            ),
            IngressRule("b.example", None),
            IngressRule("", ()),
        ),
    )


@pytest.mark.parametrize("version", OLD)
def test_the_old_versions_are_converted(version: str) -> None:
    spec = {
        "backend": {"serviceName": "web", "servicePort": "http"},
        "rules": [
            {
                "host": "a.example",
                "http": {
                    "paths": [
                        {"backend": {"serviceName": "web", "servicePort": 80}},
                        {"path": "/x", "pathType": "Exact", "backend": {"serviceName": "web", "servicePort": "80"}},
                        {"path": "/y", "backend": {"resource": {"kind": "Bucket", "name": "b"}}},
                    ]
                },
            }
        ],
    }
    found, errors = read(spec, version, annotations={"kubernetes.io/ingress.class": "nginx"})
    assert errors == ()
    assert found == Ingress(
        metadata=Metadata("shop", "default", annotations={"kubernetes.io/ingress.class": "nginx"}),
        default_backend=IngressBackend(ServiceRef("web", ServicePortRef(name="http"))),
        rules=(
            IngressRule(
                "a.example",
                (
                    IngressPath(TO_WEB),
                    IngressPath(TO_WEB, "/x", PathType.EXACT),
                    IngressPath(IngressBackend(resource=ResourceRef("Bucket", "b")), "/y"),
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("backend", "code", "field"),
    [
        (None, "object/invalid-value", "backend"),
        ({}, "object/invalid-value", "backend"),
        ({"serviceName": "web", "servicePort": 80}, "object/invalid-value", "backend"),
        ({**WEB, "resource": {"kind": "B", "name": "b"}}, "object/invalid-value", "backend"),
        ({"service": {"port": {"number": 80}}}, "object/invalid-value", "backend.service.name"),
        ({"service": {"name": "web"}}, "object/invalid-value", "backend.service.port"),
        ({"service": {"name": "web", "port": {}}}, "object/invalid-value", "backend.service.port"),
        (
            {"service": {"name": "web", "port": {"number": 80, "name": "http"}}},
            "object/invalid-value",
            "backend.service.port",
        ),
        ({"service": {"name": "web", "port": {"number": 0}}}, "object/invalid-value", "backend.service.port.number"),
        (
            {"service": {"name": "web", "port": {"number": 70000}}},
            "object/invalid-value",
            "backend.service.port.number",
        ),
        ({"service": {"name": "web", "port": {"number": "80"}}}, "manifest/wrong-type", "backend.service.port.number"),
        ({"service": {"name": "web", "port": 80}}, "manifest/wrong-type", "backend.service.port"),
        ({"service": "web"}, "manifest/wrong-type", "backend.service"),
        ("web", "manifest/wrong-type", "backend"),
    ],
)
def test_a_path_with_an_unreadable_backend_stays_and_leads_nowhere(backend: object, code: str, field: str) -> None:
    good = {"path": "/", "pathType": "Prefix", "backend": WEB}
    paths, complaints = paths_of([good, {"path": "/admin", "pathType": "Exact", "backend": backend}, good])
    root = IngressPath(TO_WEB, "/", PathType.PREFIX)
    assert paths == (root, IngressPath(NOWHERE, "/admin", PathType.EXACT), root)
    assert complaints == [(code, f"spec.rules[0].http.paths[1].{field}")]


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ({"backend": WEB}, "object/invalid-value", ".pathType"),
        ({"path": 7, "pathType": "Exact", "backend": WEB}, "manifest/wrong-type", ".path"),
        ({"path": "/a\n", "pathType": "Exact", "backend": WEB}, "object/invalid-value", ".path"),
        ({"path": "/", "pathType": "exact", "backend": WEB}, "object/invalid-value", ".pathType"),
        ({"path": "/", "pathType": True, "backend": WEB}, "manifest/wrong-type", ".pathType"),
        (None, "manifest/wrong-type", ""),
        ("/", "manifest/wrong-type", ""),
    ],
)
def test_a_path_that_cannot_be_compared_is_left_out_and_the_others_keep_their_places(
    path: object, code: str, field: str
) -> None:
    good = {"path": "/", "pathType": "Prefix", "backend": WEB}
    paths, complaints = paths_of([path, good])
    assert paths == (None, IngressPath(TO_WEB, "/", PathType.PREFIX))
    assert complaints == [(code, f"spec.rules[0].http.paths[0]{field}")]


@pytest.mark.parametrize(("number", "limit"), [(0, "least 1"), (65536, "most 65535")])
def test_a_port_out_of_range_is_told_the_range(number: int, limit: str) -> None:
    _, (error,) = read({"defaultBackend": {"service": {"name": "web", "port": {"number": number}}}})
    assert error.message == f"The number must be at {limit}"


def test_a_misspelt_path_type_is_told_with_those_there_are() -> None:
    _, (error,) = read({"rules": [{"http": {"paths": [{"path": "/", "pathType": "prefix", "backend": WEB}]}}]})
    assert error.message == "'prefix' is not one of the values of this field"
    assert error.hint == "write one of Exact, Prefix, ImplementationSpecific"


def test_a_path_with_two_faults_is_told_both() -> None:
    paths, complaints = paths_of([{"backend": "web", "path": 7, "pathType": "Exact"}])
    assert paths == (None,)
    assert [field for _, field in complaints] == [
        "spec.rules[0].http.paths[0].backend",
        "spec.rules[0].http.paths[0].path",
    ]


@pytest.mark.parametrize(
    ("backend", "field"),
    [
        ({}, "backend.serviceName"),
        ({"serviceName": "web"}, "backend.servicePort"),
        ({"serviceName": "web", "servicePort": 0}, "backend.servicePort"),
        ({"serviceName": "web", "servicePort": {}}, "backend.servicePort"),
        ({"serviceName": "web", "resource": {}}, "backend"),
        (None, "backend"),
    ],
)
def test_old_backends_are_checked_as_well(backend: object, field: str) -> None:
    paths, complaints = paths_of([{"path": "/", "backend": backend}], OLD[0])
    assert paths == (IngressPath(NOWHERE, "/"),)
    assert [told for _, told in complaints] == [f"spec.rules[0].http.paths[0].{field}"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("x", "spec"),
        ({"rules": {}}, "spec.rules"),
        ({"rules": [None]}, "spec.rules[0]"),
        ({"rules": [{"host": "a"}, {"host": 7}]}, "spec.rules[1].host"),
        ({"rules": [{"host": "a\n"}]}, "spec.rules[0].host"),
        ({"rules": [{"http": []}]}, "spec.rules[0].http"),
        ({"rules": [{"http": {"paths": "/"}}]}, "spec.rules[0].http.paths"),
        ({"defaultBackend": {}}, "spec.defaultBackend"),
        (
            {"defaultBackend": {"service": {"name": "a", "port": {"number": "1"}}}},
            "spec.defaultBackend.service.port.number",
        ),
        ({"tls": [{"hosts": "a"}]}, "spec.tls[0].hosts"),
        ({"tls": [{"hosts": ["a", 1]}]}, "spec.tls[0].hosts[1]"),
        ({"ingressClassName": 1}, "spec.ingressClassName"),
    ],
)
def test_a_fault_that_would_widen_what_is_asked_for_makes_the_ingress_fall(spec: object, field: str) -> None:
    found, (error,) = read(spec)
    assert found is None
    assert error.where.field == field


def test_ten_thousand_broken_paths_are_told_one_by_one() -> None:
    count = 10_000
    paths, complaints = paths_of([{"path": i, "pathType": "Prefix", "backend": WEB} for i in range(count)])
    assert paths == (None,) * count
    assert complaints[-1] == ("manifest/wrong-type", f"spec.rules[0].http.paths[{count - 1}].path")
    assert len(complaints) == count
