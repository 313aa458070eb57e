"""Bad input from outside: `sevengate check` names file and line, never a traceback, and the others are served."""

import re
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from sevengate.cli import main
from tests.compiler.making import PREFIX, key_pair

GOOD = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: good, creationTimestamp: "2025-01-01T00:00:00Z"}
spec:
  ingressClassName: nginx
  rules:
    - host: good.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.1]}]
"""
SERVED = "host good.example\n  prefix /  -> default/shop:80  Ingress default/good spec.rules[0].http.paths[0]\n"

HEAD = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: bad
  annotations: {ANNOTATIONS}
spec:
  ingressClassName: nginx
  tls: [{hosts: [tls.example], secretName: tls}]
  rules:
"""
TO_SHOP = "backend: {service: {name: shop, port: {number: 80}}}"
PATH = f"    - {{host: HOST, http: {{paths: [{{path: PATH, pathType: Prefix, {TO_SHOP}}}]}}}}\n"


class Bad(NamedTuple):
    """What a file holds, and the complaint about it: line, severity and code."""

    content: bytes
    line: int
    code: str
    severity: str = "error"


def ingress(*rules: str, annotations: str = "") -> str:
    """Write an Ingress whose rules begin in line 9, without tls."""
    head = HEAD.replace("ANNOTATIONS", annotations).replace("  tls: [{hosts: [tls.example], secretName: tls}]\n", "")
    return head + "".join(rules or [rule()])


def rule(path: str = "/", host: str = "bad.example") -> str:
    return PATH.replace("PATH", path).replace("HOST", host)


def text(content: str, line: int, code: str, severity: str = "error") -> Bad:
    return Bad(content.encode(), line, code, severity)


def annotated(name: str, value: str, code: str = "annotation/invalid-value") -> Bad:
    """Give an annotation that is told in line 5; the value is as YAML writes it within double quotes."""
    return text(ingress(annotations=f'{PREFIX}/{name}: "{value}"'), 5, code)


def with_secret(chain: bytes, key: bytes, code: str, severity: str = "error") -> Bad:
    rules = rule(host="tls.example")
    secret = f"tls.crt: {b64encode(chain).decode()}, tls.key: {b64encode(key).decode()}"
    return text(
        f"{HEAD.replace('ANNOTATIONS', '')}{rules}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: tls}}\n"
        f"type: kubernetes.io/tls\ndata: {{{secret}}}\n",
        8,
        code,
        severity,
    )


CHAIN, KEY = key_pair(("tls.example",), to_day=3650)
_, OTHER_KEY = key_pair(("other.example",), to_day=3650)
EXPIRED = key_pair(("tls.example",), -100, -1)

BAD = {
    "malformed YAML": text("kind: Ingress\nspec: [\n", 3, "manifest/syntax"),
    "a tab for a space": text("kind: Ingress\n\tspec: {}\n", 2, "manifest/syntax"),
    "invalid UTF-8": Bad(ingress(rule("/caf")).encode().replace(b"/caf", b"/caf\xe9"), 9, "manifest/unreadable"),
    "a NUL in the file": text("kind: Ingress\nmetadata: {name: a\0b}\n", 2, "manifest/syntax"),
    "a key twice": text(
        ingress().replace("  name: bad\n", "  name: bad\n  name: worse\n"), 5, "manifest/duplicate-key"
    ),
    "an unknown kind": text(
        "apiVersion: v2\nkind: Ingress\nmetadata: {name: a}\n", 1, "manifest/unknown-kind", "warning"
    ),
    "a wrong type": text(ingress(rule("7")), 9, "manifest/wrong-type"),
    "rules that are no list": text(ingress("    {}\n"), 8, "manifest/wrong-type"),
    "a path of 100 kB": text(ingress(rule("/" + "x" * 100_000)), 9, "ingress/invalid-path"),
    "a line break in a path": text(ingress(rule('"/a\\nb"')), 9, "object/invalid-value"),
    "the last of 10,000 rules": text(
        ingress(*(rule(host=f"h{n}.example") for n in range(9_999)), rule(host="'_'")), 10_008, "ingress/invalid-host"
    ),
    "the last of 10,000 paths that overlap": text(
        ingress(*(rule(f"/p{n}") for n in range(9_999)), rule("/p0/")), 10_008, "ingress/conflict"
    ),
    "a line break in an annotation": annotated("upstream-vhost", "a\\nb"),
    "a quote in an annotation": annotated("proxy-body-size", '1m\\"; return 200;'),
    "a brace in an annotation": annotated("permanent-redirect", "https://a/} server {", "annotation/closed"),
    "a variable in an annotation": annotated("upstream-vhost", "$host"),
    "a variable that nobody knows": annotated("permanent-redirect", "https://a/$evil", "annotation/closed"),
    "a NUL in an annotation": annotated("rewrite-target", "/a\\0b", "annotation/closed"),
    "an allow-list that is none": annotated("whitelist-source-range", "10.0.0.0/8; allow all", "annotation/closed"),
    "a missing Service": text(ingress(rule().replace("shop", "shob")), 9, "backend/service-not-found"),
    "a missing port": text(ingress(rule().replace("80", "8080")), 9, "backend/port-not-found"),
    "a rule that another has": text(ingress(rule(host="good.example")), 9, "ingress/conflict"),
    "a Secret that is no certificate": with_secret(b"hello", KEY, "tls/invalid-certificate"),
    "a Secret that is no key": with_secret(CHAIN, b"hello", "tls/invalid-certificate"),
    "a key of another certificate": with_secret(CHAIN, OTHER_KEY, "tls/key-mismatch"),
    "an expired certificate": with_secret(*EXPIRED, "tls/expired", "warning"),
    "a Secret that is no base64": text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ndata: {tls.crt: '%%%'}\n", 4, "object/invalid-value"
    ),
}


@pytest.fixture(params=BAD.values(), ids=list(BAD))
def bad(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bad:
    """Work in a folder that holds good.yaml and bad.yaml."""
    monkeypatch.chdir(tmp_path)
    found: Bad = request.param
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    Path("bad.yaml").write_bytes(found.content)
    return found


def test_check_names_file_and_line_and_the_others_are_served(bad: Bad) -> None:
    checked = CliRunner().invoke(main, ["check", "good.yaml", "bad.yaml"])
    assert checked.exception is None or isinstance(checked.exception, SystemExit)
    assert checked.exit_code == int(bad.severity == "error")
    place = rf"^bad\.yaml:{bad.line}: {bad.severity}: .+ \[{bad.code}\]$"
    assert re.search(place, checked.stdout, re.MULTILINE), checked.stdout[-1000:]
    assert not re.search("^good.yaml:.* (error|warning):", checked.stdout, re.MULTILINE)
    assert all(len(line) < 400 for line in checked.stdout.splitlines())
    assert SERVED in CliRunner().invoke(main, ["routes", "good.yaml", "bad.yaml"]).stdout
