"""What the pod security standard "restricted" has against a pod: `complaints(spec)` gives one sentence each.

A namespace with the label pod-security.kubernetes.io/enforce refuses such pods, which no schema shows.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator
from typing import Any, Final

Plain = dict[str, Any]

_VOLUMES: Final = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}
_SYSCTLS: Final = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
}


def complaints(spec: Plain) -> Iterator[str]:
    """Say what of a pod's spec is not allowed."""
    yield from (f"{field} is true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field))
    for volume in spec.get("volumes", ()):
        yield from (f"a volume is a {kind}" for kind in set(volume) - {"name"} - _VOLUMES)
    pod = spec.get("securityContext", {})
    names = {one["name"] for one in pod.get("sysctls", ())}
    yield from (f"the sysctl {name} is set" for name in sorted(names - _SYSCTLS))
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        for complaint in _of_container(container, {**pod, **container.get("securityContext", {})}):
            yield f"container {container['name']}: {complaint}"


def _of_container(container: Plain, effective: Plain) -> Iterator[str]:
    yield from (f"host port {port['hostPort']}" for port in container.get("ports", ()) if port.get("hostPort"))
    if effective.get("privileged"):
        yield "it is privileged"
    if effective.get("allowPrivilegeEscalation") is not False:
        yield "it may escalate privileges"
    if effective.get("runAsNonRoot") is not True or effective.get("runAsUser") == 0:
        yield "it may run as root"
    if effective.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "it has no seccomp profile"
    capabilities = effective.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "not all capabilities are dropped"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "it gets capabilities"
