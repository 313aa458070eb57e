"""How a container runs where the machine gives it no root folder of its own: among the machine's files.

Takes a Program and the folder that would have been its root; gives the Program with the image's files there instead,
and every mention of them led there. A service account's token is offered as a kubeconfig. Other volumes cannot be
seen, and commands from outside are refused (`why_no_exec`), because they would change the machine.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import yaml

from sevengate.lab.kubelet.filesystem import PATH, File, Layer, Mount, Step
from sevengate.lab.kubelet.images import Program
from sevengate.lab.kubelet.volumes import SERVICE_ACCOUNT

#: Folders that images write to besides their own.
_WRITTEN = ("/run/nginx", "/opt/image")


def moved(program: Program, root: Path) -> Program:
    """Give a program whose image lies below `root`."""

    def led(text: str) -> str:
        for folder in (*program.layer.folders, *_WRITTEN, *program.layer.files):
            text = text.replace(folder, f"{root}{folder}") if f"{root}{folder}" not in text else text
        return text

    files = {f"{root}{path}": File(led(file.text), file.mode) for path, file in program.layer.files.items()}
    layer = Layer(files, (f"{root}/run",))
    return msgspec.structs.replace(program, argv=tuple(map(led, program.argv)), layer=layer)


def steps(layer: Layer) -> list[Step]:
    """Give what is to be done before the program runs."""
    folders: list[Step] = [("folder", folder, 0o755) for folder in layer.folders]
    return [*folders, *(("file", path, file.text, file.mode) for path, file in layer.files.items())]


def variables(root: Path, mounts: Iterable[Mount], around: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that stand in for what cannot be mounted."""
    found = {"PATH": PATH.replace("/opt/image", f"{root}/opt/image")}
    account = next((mount.source for mount in mounts if mount.path == SERVICE_ACCOUNT), "")
    if account and "KUBERNETES_SERVICE_HOST" in around:
        path = Path(account).with_name("kubeconfig")
        path.write_text(_kubeconfig(account, around), encoding="utf-8")
        found["KUBECONFIG"] = str(path)
    return found


def why_no_exec(root: Path) -> str:
    """Say why no command is run from outside."""
    return (
        "this machine gives the lab no namespaces (they take root, or namespaces of users), so a command would "
        f"run among the machine's own files and change them; what the image brought lies in {root}"
    )


def _kubeconfig(account: str, around: Mapping[str, str]) -> str:
    server = f"https://{around['KUBERNETES_SERVICE_HOST']}:{around['KUBERNETES_SERVICE_PORT']}"
    namespace = Path(account, "namespace").read_text(encoding="utf-8")
    cluster = {"server": server, "certificate-authority": f"{account}/ca.crt"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "pod", "user": {"tokenFile": f"{account}/token"}}],
        "contexts": [{"name": "pod", "context": {"cluster": "lab", "user": "pod", "namespace": namespace}}],
        "current-context": "pod",
    }
    return yaml.safe_dump(config)
