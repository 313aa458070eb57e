"""`sevengate check --fix` from outside: files are rewritten whole or not at all, and it says what it did."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sevengate.cli import main

OLD = """\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  backend: {serviceName: web, servicePort: 80}
"""
NEW = OLD.replace("extensions/v1beta1", "networking.k8s.io/v1").replace(
    "backend: {serviceName: web, servicePort: 80}", "defaultBackend: {service: {name: web, port: {number: 80}}}"
)
REST = """\
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}], clusterIP: 10.0.0.1}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [10.0.0.2]}]
"""


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_a_file_is_rewritten_the_change_is_shown_and_the_second_time_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + (OLD + REST).encode())
    file.chmod(0o640)
    first = check("--fix", tmp_path)
    assert first.exit_code == 0
    assert file.read_bytes() == b"\xef\xbb\xbf" + (NEW + REST).encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert "-  backend: {serviceName: web, servicePort: 80}\n" in first.stdout
    assert "1 object rewritten in 1 file\nnothing to complain about\n" in first.stderr
    again = check("--fix", tmp_path)
    assert (again.exit_code, again.stdout) == (0, "")
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_leads_to_the_file_that_is_rewritten(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(OLD)
    (tmp_path / "shop.yaml").symlink_to("real")
    check("--fix", tmp_path / "shop.yaml")
    assert (tmp_path / "shop.yaml").is_symlink()
    assert (tmp_path / "real").read_text() == NEW


def test_what_cannot_be_rewritten_is_told_with_file_and_line_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    broken = OLD.replace(", servicePort: 80", "")
    file.write_text(broken)
    (tmp_path / "other.yaml").write_text(OLD.replace("name: shop", "name: other"))
    result = check("--fix", tmp_path)
    assert result.exit_code == 1
    wanted = f"{file}:6: error: servicePort is missing, or no number and no name [manifest/not-rewritten]"
    assert wanted in result.stdout
    assert file.read_text() == broken
    assert "networking.k8s.io/v1\n" in (tmp_path / "other.yaml").read_text()


def test_standard_input_is_no_file_to_rewrite() -> None:
    result = check("--fix", "-")
    assert (result.exit_code, "is none" in result.stderr) == (2, True)


def test_json_output_holds_no_diff(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(OLD + REST)
    assert check("--fix", "--output", "json", tmp_path).stdout == "[]\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(OLD)
    tmp_path.chmod(0o500)
    result = check("--fix", tmp_path)
    assert (result.exit_code, "cannot be rewritten" in result.stderr) == (2, True)
