"""A cluster of a few objects with a real NGINX before it: what is put into it is compiled and live when `put` returns.

Objects take the road that the controller sends them: Snapshot, recompile, DataPlane.apply.
"""

from collections.abc import Iterable, Mapping

import msgspec

from sevengate.compiler.compile import Compilation, compile_all, recompile
from sevengate.kube.objects import AnyObject, ConfigMap, EndpointPort, EndpointSlice, Ingress, Metadata
from sevengate.kube.objects import Endpoint as SliceEndpoint
from sevengate.kube.snapshot import Deleted, Event, Snapshot
from sevengate.nginx.dataplane import Applied
from sevengate.nginx.live import Live
from sevengate.routing.table import Endpoint, RoutingTable, TableChanges
from sevengate.settings import Options, Settings
from tests.asking import Answer, ask
from tests.compiler import making
from tests.compiler.making import NOW, OUR_CLASS, ingress, rule

HOST = "shop.example"
CONFIGMAP = "default/settings"
#: Two workers, to see that all agree.
QUIET = {"worker-processes": "2", "disable-access-log": "true"}


class Cluster:
    """Objects, and the gate that serves them."""

    def __init__(self, gate: Live, options: Options | None = None) -> None:
        self.gate = gate
        self.applied = Applied(0)
        self._options = msgspec.structs.replace(options or Options(), configmap=CONFIGMAP)
        self._snapshot = Snapshot()
        self._compilation: Compilation | None = None
        self.put(OUR_CLASS, config_map({}))

    def put(self, *events: Event) -> Applied:
        """Add or replace objects, or take away those that are Deleted."""
        table, changes, settings = self.compile(*events)
        self.applied = self.gate.apply(table, settings, changes)
        assert self.applied.problem == ""
        return self.applied

    def compile(self, *events: Event) -> tuple[RoutingTable, TableChanges | None, Settings]:
        """Note what changed and give what must be applied for it."""
        self._snapshot, changes = self._snapshot.after(events)
        previous = self._compilation
        self._compilation = (
            recompile(previous, self._snapshot, changes, NOW)
            if previous
            else compile_all(self._snapshot, self._options, NOW)
        )
        return self._compilation.table, self._compilation.changes, self._compilation.settings

    def configure(self, settings: Mapping[str, str] | None = None) -> Applied:
        """Write the ConfigMap anew."""
        return self.put(config_map(settings or {}))

    def serve(
        self, *endpoints: Endpoint, annotations: Mapping[str, str] | None = None, ingress_name: str = "shop"
    ) -> Applied:
        """Put the Service `shop` with these endpoints, and an Ingress for all paths of HOST that leads to it."""
        return self.put(
            *service_objects("shop", *endpoints), ingress(ingress_name, rule(HOST), annotations=annotations)
        )

    def ask(self, target: str = "/", host: str = HOST, *, tls: bool = False, client: str | None = None) -> Answer:
        """Send a GET request."""
        port = self.gate.https_port if tls else self.gate.http_port
        return ask(port, host, target, tls=tls, client=client)

    def name(self, target: str = "/", host: str = HOST) -> object:
        """Say which echo server answers, or the status where none did."""
        answer = self.ask(target, host)
        return answer.json["name"] if answer.status == 200 else answer.status

    def headers(self, *headers: tuple[str, str], host: str = HOST, tls: bool = False) -> dict[str, list[str]]:
        """Send request headers and give those that the echo server received, by lower-case name."""
        port = self.gate.https_port if tls else self.gate.http_port
        answer = ask(port, host, headers=headers, tls=tls)
        assert answer.status == 200
        return by_name(answer.json["headers"])


def config_map(settings: Mapping[str, str]) -> ConfigMap:
    namespace, _, name = CONFIGMAP.partition("/")
    return ConfigMap(Metadata(name, namespace), data={**QUIET, **settings})


def service_objects(name: str, *endpoints: Endpoint) -> Iterable[AnyObject]:
    """Give a Service and, as each endpoint may have a port of its own, a slice for each endpoint."""
    return making.service(name), *(endpoint_slice(name, number, place) for number, place in enumerate(endpoints))


def endpoint_slice(service: str, number: int, place: Endpoint) -> EndpointSlice:
    return EndpointSlice(
        Metadata(f"{service}-{number}", "default"),
        service=service,
        endpoints=(SliceEndpoint((place.address,)),),
        ports=(EndpointPort(place.port),),
    )


def without_endpoint(service: str, number: int) -> Deleted:
    return Deleted(EndpointSlice.KIND, f"default/{service}-{number}")


def without_ingress(name: str) -> Deleted:
    return Deleted(Ingress.KIND, f"default/{name}")


def by_name(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found
