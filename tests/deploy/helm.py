"""Renders the chart with the real helm, as tests want it: `render("--set", "controller.kind=DaemonSet")`.

Gives the objects by kind and name; `refusal` gives what helm says where it must not render.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart" / "sevengate"
MODES = sorted((ROOT / "deploy" / "modes").glob("*.yaml"))
HELM = Path(sys.executable).with_name("helm")

Plain = dict[str, Any]
Objects = dict[tuple[str, str], Plain]

needs_helm = pytest.mark.skipif(not HELM.is_file(), reason="there is no helm in .venv/bin; tools/programs.py brings it")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(HELM), *arguments], capture_output=True, text=True, check=False)


def template(*arguments: str) -> subprocess.CompletedProcess[str]:
    return helm("template", "sevengate", str(CHART), "--namespace", "gates", *arguments)


def render(*arguments: str) -> Objects:
    """Give the objects that the chart makes."""
    run = template(*arguments)
    assert run.returncode == 0, run.stderr
    return by_name(run.stdout)


def refusal(*arguments: str) -> str:
    """Give why helm does not render."""
    run = template(*arguments)
    assert run.returncode != 0
    return run.stderr


def by_name(text: str) -> Objects:
    """Give the objects of a manifest."""
    objects = [one for one in yaml.safe_load_all(text) if one]
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects), "two objects have one name"
    return found


def only(objects: Objects, kind: str) -> Plain:
    """Give the one object of a kind."""
    (found,) = (one for (its_kind, _), one in objects.items() if its_kind == kind)
    return found


def pod_of(objects: Objects) -> Plain:
    """Give the spec of the gate's pods."""
    name = "sevengate-controller"
    workload = next(objects[kind, name] for kind in ("Deployment", "DaemonSet") if (kind, name) in objects)
    spec: Plain = workload["spec"]["template"]["spec"]
    return spec


def container(objects: Objects, name: str) -> Plain:
    (found,) = (one for one in pod_of(objects)["containers"] if one["name"] == name)
    return dict(found)


def check_strictly(objects: Objects, version: str = "1.37") -> None:
    """Raise if an object of Kubernetes' own is not what its API takes."""
    for (kind, _), one in objects.items():
        if kind not in {"ServiceMonitor", "PrometheusRule", "ScaledObject"}:
            kubernetes_validate.validate(one, version, strict=True)
