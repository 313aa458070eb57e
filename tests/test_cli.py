"""The command line from outside: what is printed, letter by letter, and the exit codes."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sevengate import __version__
from sevengate.cli import COMMANDS, main
from tests.compiler.making import PREFIX

SHOP = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  creationTimestamp: "2026-01-01T00:00:00Z"
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http:
        paths:
          - {path: /cart, pathType: Exact, backend: {service: {name: shop, port: {name: http}}}}
          - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-1, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
"""

SECURED = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: secured
  annotations:
    nginx.ingress.kubernetes.io/force-ssl-redirect: "true"
    nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8
spec:
  ingressClassName: nginx
  rules:
    - host: secured.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
"""

YOUNGER = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: younger, creationTimestamp: "2026-02-01T00:00:00Z"}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: absent, port: {number: 80}}}}]}
"""

EXPECTATIONS = """\
- name: the cart
  request: {url: http://shop.example/cart}
  expect: {ingress: default/shop, service: shop, port: http, status: 200}
- name: nobody
  request: {url: http://else.example/}
  expect: {status: 404, ingress: null}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder that holds shop.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
    return tmp_path


def sevengate(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


# --- check


def test_check_is_content_with_good_manifests(folder: Path) -> None:
    result = sevengate("check", "shop.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing to complain about\n")


def test_check_prints_each_complaint_at_its_line_and_the_hint_below(folder: Path) -> None:
    (folder / "younger.yaml").write_text(YOUNGER, encoding="utf-8")
    result = sevengate("check", ".")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    place = re.compile(r"(\./)?younger\.yaml:8: error: .+ \[[a-z]+/[a-z-]+\]")
    assert [bool(place.fullmatch(line)) or line.startswith("    ") for line in lines] == [True] * len(lines)
    assert any("[backend/service-not-found]" in line for line in lines)
    assert any("Ingress default/shop [ingress/conflict]" in line for line in lines)
    assert "    the older object wins" in lines


def test_check_tells_programs_the_same(folder: Path) -> None:
    (folder / "younger.yaml").write_text(YOUNGER, encoding="utf-8")
    result = sevengate("check", "shop.yaml", "younger.yaml", "--output", "json")
    found = {finding["code"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert found["ingress/conflict"]["file"] == "younger.yaml"
    assert found["ingress/conflict"]["line"] == 8
    assert found["ingress/conflict"]["winner"] == {"kind": "Ingress", "namespace": "default", "name": "shop"}


def test_check_reads_standard_input(folder: Path) -> None:
    result = sevengate("check", "-", stdin="kind: [\n")
    assert result.exit_code == 1
    assert "[manifest/syntax]" in result.stdout


def test_a_path_that_is_not_there_is_an_error(folder: Path) -> None:
    result = sevengate("check", "nowhere.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("nowhere.yaml:1: error: ")


@pytest.mark.parametrize(
    "junk", ["[" * 20_000, "\0", "a: &a [*a]", "- " * 5000, "{" * 20_000, "\ufeff", "%YAML 9.9\n---\n"]
)
def test_no_manifest_brings_check_down(junk: str, folder: Path) -> None:
    result = sevengate("check", "-", stdin=junk)
    assert result.exception is None or isinstance(result.exception, SystemExit)


# --- routes


def test_routes_prints_the_table(folder: Path) -> None:
    result = sevengate("routes", "shop.yaml")
    assert result.exit_code == 0
    assert result.stdout == (
        "host shop.example\n"
        "  exact /cart  -> default/shop:http  Ingress default/shop spec.rules[0].http.paths[0]\n"
        "  prefix /     -> default/shop:80    Ingress default/shop spec.rules[0].http.paths[1]\n"
        "\n"
        "backends\n"
        "  default/shop:80    10.0.0.1:8080 10.0.0.2:8080\n"
        "  default/shop:http  10.0.0.1:8080 10.0.0.2:8080\n"
    )


def test_routes_as_json_hold_the_same(folder: Path) -> None:
    plain = json.loads(sevengate("routes", "shop.yaml", "--output", "json").stdout)
    assert [route["match"]["path"]["value"] for route in plain["hosts"][0]["routes"]] == ["/cart", "/"]
    assert plain["backends"][0]["endpoints"] == ["10.0.0.1:8080", "10.0.0.2:8080"]


def test_what_is_wrong_with_the_manifests_is_remarked_on_standard_error(folder: Path) -> None:
    (folder / "younger.yaml").write_text(YOUNGER, encoding="utf-8")
    result = sevengate("routes", "shop.yaml", "younger.yaml")
    assert result.exit_code == 0
    assert re.fullmatch(r"\d errors?.* in the manifests: sevengate check shop.yaml younger.yaml\n", result.stderr)


# --- explain


def test_explain_names_the_rule_and_the_runners_up(folder: Path) -> None:
    (folder / "younger.yaml").write_text(YOUNGER, encoding="utf-8")
    result = sevengate("explain", "shop.yaml", "younger.yaml", "http://shop.example//cart/../cart")
    assert result.exit_code == 0
    assert result.stdout == (
        "GET http://shop.example//cart/../cart goes to default/shop:http\n"
        "rule\n"
        "  exact /cart -> default/shop:http\n"
        "  Ingress default/shop spec.rules[0].http.paths[0]\n"
        "why\n"
        "  shop.example is named exactly\n"
        "  the path is compared as /cart\n"
        "  before prefix / -> default/shop:80 (Ingress default/shop): an exact path comes before a prefix one\n"
        "backends\n"
        "  default/shop:http  100%  10.0.0.1:8080 10.0.0.2:8080\n"
    )


def test_explain_names_the_ingress_that_lost_to_the_older_one(folder: Path) -> None:
    (folder / "younger.yaml").write_text(YOUNGER, encoding="utf-8")
    result = sevengate("explain", ".", "http://shop.example/")
    assert "  before Ingress default/younger spec.rules[0].http.paths[0]: Prefix path '/'" in result.stdout
    assert "the older object wins" in result.stdout


def test_explain_names_who_lost_the_same_prefix_with_a_slash(folder: Path) -> None:
    (folder / "shop.yaml").write_text(SHOP.replace("path: /,", "path: /cart/,"), encoding="utf-8")
    (folder / "younger.yaml").write_text(YOUNGER.replace("path: /,", "path: /cart,"), encoding="utf-8")
    result = sevengate("explain", ".", "http://shop.example/cart/1")
    assert "  before Ingress default/younger spec.rules[0].http.paths[0]: Prefix path '/cart', the" in result.stdout


def test_explain_tells_redirects_and_allow_lists(folder: Path) -> None:
    (folder / "secured.yaml").write_text(SECURED, encoding="utf-8")
    plain = sevengate("explain", ".", "http://secured.example/a")
    assert plain.stdout.startswith("GET http://secured.example/a is redirected to https://secured.example/a (308)\n")
    refused = sevengate("explain", ".", "https://secured.example/a", "--client-ip", "192.0.2.1")
    assert "192.0.2.1 may not come in: no allowed range holds it" in refused.stdout
    admitted = sevengate("explain", ".", "https://secured.example/a", "--client-ip", "10.1.2.3")
    assert "10.1.2.3 may come in: 10.0.0.0/8 is allowed" in admitted.stdout


def test_explain_of_what_nobody_serves_names_what_comes_nearest(folder: Path) -> None:
    result = sevengate("explain", "shop.yaml", "http://www.shop.example/")
    assert result.exit_code == 1
    assert result.stdout == (
        "GET http://www.shop.example/ is answered with 404: no host of the table fits\n"
        "why\n"
        "  no rule is for www.shop.example\n"
        "what comes nearest\n"
        "  host shop.example: www.shop.example is below shop.example, and a host stands for itself only\n"
    )


def test_explain_tells_programs_the_same(folder: Path) -> None:
    plain = json.loads(sevengate("explain", "shop.yaml", "http://shop.example/x", "--output", "json").stdout)
    assert plain["route"]["source"]["name"] == "shop"
    assert plain["backends"] == [
        {"backend": "default/shop:80", "share": "100%", "endpoints": ["10.0.0.1:8080", "10.0.0.2:8080"]}
    ]
    assert plain["status"] is None
    missed = json.loads(sevengate("explain", "shop.yaml", "http://x.example/", "--output", "json").stdout)
    assert (missed["status"], missed["route"]) == (404, None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["shop.example/"],
        ["http://"],
        ["http://shop.example/", "-H", "no colon"],
        ["http://shop.example/", "-H", "a b: c"],
        ["http://shop.example/", "-X", "get"],
        ["http://shop.example/", "--client-ip", "me"],
        ["http://shop.example/", "--output", "xml"],
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(arguments: list[str], folder: Path) -> None:
    result = sevengate("explain", "shop.yaml", *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("path", ["%ff", "%1b[31m", "%0a", "é", "%E2%80%AE"])
def test_no_path_writes_what_a_terminal_would_obey(path: str, folder: Path) -> None:
    result = sevengate("explain", "shop.yaml", f"http://shop.example/{path}")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "the path is compared as /" in result.stdout


@pytest.fixture
def slow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a manifest with a path that takes years for the URL that is given, and wait for it a little only."""
    monkeypatch.setattr("sevengate.cli.time_limit.LIMIT", 0.2)
    slow = (
        YOUNGER.replace("younger", "slow").replace("shop.example", "slow.example").replace("path: /", "path: /(a+)+$")
    )
    annotated = slow.replace("metadata: {", f"metadata: {{annotations: {{{PREFIX}/use-regex: 'true'}}, ", 1)
    (folder / "slow.yaml").write_text(annotated.replace("Prefix", "ImplementationSpecific"), encoding="utf-8")
    return f"http://slow.example/{'a' * 60}b"


def test_explain_gives_up_a_pattern_that_takes_too_long(slow: str) -> None:
    result = sevengate("explain", "slow.yaml", slow)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no answer within 0.2 s: a regular expression" in result.stderr


@pytest.mark.parametrize("flags", [[], ["--live"]])
def test_test_gives_up_the_one_case_whose_pattern_takes_too_long(slow: str, flags: list[str]) -> None:
    cases = [{"request": {"url": url}, "expect": {"status": 503}} for url in (slow, "http://slow.example/aaa")]
    Path("expect.yaml").write_text(json.dumps(cases), encoding="utf-8")
    result = sevengate("test", "slow.yaml", "--expect", "expect.yaml", *flags)
    assert result.exit_code == 1
    assert re.findall("^pass|^FAIL", result.stdout, re.MULTILINE) == ["FAIL", "pass"]
    assert "      no answer within 0.2 s" in result.stdout


def test_routes_and_check_never_search_with_a_pattern(slow: str) -> None:
    assert "regex ^/(a+)+$" in sevengate("routes", "slow.yaml").stdout
    assert sevengate("check", "slow.yaml").exit_code == 1


# --- test


def test_test_prints_a_line_for_each_case(folder: Path) -> None:
    (folder / "expect.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    result = sevengate("test", "shop.yaml", "--expect", "expect.yaml")
    assert (result.exit_code, result.stdout) == (0, "pass  the cart\npass  nobody\n")
    assert result.stderr == "2 of 2 as expected\n"


def test_test_says_what_was_not_met_and_writes_junit_xml(folder: Path) -> None:
    (folder / "expect.yaml").write_text(EXPECTATIONS.replace("404", "503"), encoding="utf-8")
    result = sevengate("test", "shop.yaml", "--expect", "expect.yaml", "--junit", "results.xml")
    assert result.exit_code == 1
    assert result.stdout == ("pass  the cart\nFAIL  nobody (expect.yaml:4)\n      status is 404, expected was 503\n")
    assert ET.parse(folder / "results.xml").getroot().get("failures") == "1"


def test_test_tells_programs_the_same(folder: Path) -> None:
    (folder / "expect.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    plain = json.loads(sevengate("test", "shop.yaml", "--expect", "expect.yaml", "--output", "json").stdout)
    assert [(verdict["name"], verdict["passed"]) for verdict in plain] == [("the cart", True), ("nobody", True)]


def test_test_asks_a_real_nginx_too(folder: Path) -> None:
    (folder / "expect.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    result = sevengate("test", "shop.yaml", "--expect", "expect.yaml", "--live")
    assert (result.exit_code, result.stdout.count("pass")) == (0, 2)


def test_a_real_nginx_is_asked_about_more_services_than_can_stand_behind_it_at_once(folder: Path) -> None:
    names = [f"s{number}" for number in range(300)]
    backend = "backend: {{service: {{name: {0}, port: {{number: 80}}}}}}"
    path = "          - {{path: /{0}, pathType: Prefix, " + backend + "}}\n"
    others = "---\n".join(SHOP.partition("---\n")[2].split("---\n")[1:])
    services = "".join("---\n" + re.sub(r"\bshop(?=[},-])", name, others) for name in names)
    (folder / "shop.yaml").write_text(SHOP.partition("          - {path: /cart")[0] + "".join(map(path.format, names)))
    (folder / "services.yaml").write_text(services)
    cases = [{"request": {"url": f"http://shop.example/{name}"}, "expect": {"service": name}} for name in names]
    (folder / "expect.yaml").write_text(json.dumps(cases))
    result = sevengate("test", "shop.yaml", "services.yaml", "--expect", "expect.yaml", "--live")
    assert (result.exit_code, result.stdout.count("pass")) == (0, 300)


def test_a_broken_file_of_expectations_is_told_with_its_lines(folder: Path) -> None:
    (folder / "expect.yaml").write_text(EXPECTATIONS.replace("service:", "servise:"), encoding="utf-8")
    result = sevengate("test", "shop.yaml", "--expect", "expect.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("expect.yaml:3: error: the key 'servise' is not known here")


@pytest.mark.parametrize("content", [b"\xff", b"", b"{}"])
def test_a_file_that_holds_no_expectations_is_refused(content: bytes, folder: Path) -> None:
    (folder / "expect.yaml").write_bytes(content)
    result = sevengate("test", "shop.yaml", "--expect", "expect.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("expect.yaml:")


# --- flags that decide what is compiled

CLASSLESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain, annotations: {own.example/permanent-redirect: "https://else.example/"}}
spec:
  rules:
    - host: plain.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {force-ssl-redirect: "yes"}
"""
AS_SERVED = ("--watch-ingress-without-class", "--annotations-prefix=own.example", "--configmap", "default/settings")


def test_a_question_gets_the_answer_of_a_gate_with_the_same_flags(folder: Path) -> None:
    (folder / "plain.yaml").write_text(CLASSLESS, encoding="utf-8")
    expectation = {"request": {"url": "http://plain.example/"}, "expect": {"location": "https://else.example/"}}
    (folder / "expect.yaml").write_text(json.dumps([expectation]), encoding="utf-8")
    asked = ("explain", ".", "http://plain.example/")
    assert "404" in sevengate(*asked).stdout
    assert "is redirected to https://else.example/ (301)" in sevengate(*asked, *AS_SERVED).stdout
    assert "host plain.example" in sevengate("routes", ".", *AS_SERVED).stdout
    assert sevengate("test", ".", "--expect", "expect.yaml").exit_code == 1
    assert sevengate("test", ".", "--expect", "expect.yaml", "--live", *AS_SERVED).exit_code == 0
    checked = sevengate("check", ".", *AS_SERVED)
    assert "plain.yaml:12: error: force-ssl-redirect" in checked.stdout
    assert "ingress/no-class" not in checked.stdout
    assert sevengate("nginx-conf", ".", "--configmap", "settings").exit_code == 2


# --- the rest


def test_nginx_conf_prints_what_would_run(folder: Path) -> None:
    result = sevengate("nginx-conf", "shop.yaml")
    assert result.exit_code == 0
    assert "listen" in result.stdout
    assert "shop.example" not in result.stdout


def test_without_nginx_the_command_that_installs_it_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sevengate.nginx.installation._SEARCHED", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    result = sevengate("nginx-conf", "shop.yaml")
    assert result.exit_code == 3
    assert "apt-get install nginx" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--manifests", "x", "--http-port", "0"],
        ["--manifests", "x", "--http-port", "443"],
        ["--manifests", "x", "--bind-address", "localhost"],
        ["--manifests", "x", "--configmap", "settings"],
        ["--manifests", "x", "--default-ssl-certificate", "a/b/c"],
    ],
)
def test_run_refuses_flags_that_make_no_sense(arguments: list[str]) -> None:
    assert sevengate("run", *arguments).exit_code == 2


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(command: str) -> None:
    result = sevengate(*filter(None, [command]), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_the_documented_exit_codes_are_those_of_the_help() -> None:
    page = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d) \|", page, re.MULTILINE) == re.findall(
        r"^ +(\d)  ", sevengate("--help").stdout, re.MULTILINE
    )


def test_every_command_and_option_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        options = re.findall(r"(?<!\S)(--[a-z-]+)", sevengate(command, "--help").stdout)
        missing = [option for option in options if option != "--help" and f"`{option}" not in page]
        assert (f"sevengate {command}" in page, missing) == (True, [])


def test_python_m_sevengate_is_the_command_too(folder: Path) -> None:
    command = [sys.executable, "-m", "sevengate"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    asked = subprocess.run([*command, "version"], capture_output=True, text=True, env=environment, check=True)
    assert asked.stdout == f"sevengate {__version__}\n"
    piped = subprocess.run(
        [*command, "explain", "-", "http://shop.example/"],
        input=SHOP,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert piped.stdout.startswith("GET http://shop.example/ goes to default/shop:80\n")


def test_a_terminal_that_lacks_a_letter_gets_an_escape(folder: Path) -> None:
    command = [sys.executable, "-m", "sevengate", "explain", "shop.yaml", "http://shop.example/€"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONIOENCODING": "latin-1"}
    asked = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "the path is compared as /\\u20ac\n" in asked.stdout


def test_a_question_starts_without_what_only_run_needs() -> None:
    script = (
        "import sys; from sevengate.cli import main, explain; print('aiohttp' in sys.modules, 'rich' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert asked.stdout == "False False\n"
