"""The `backend` of a path -> a BackendRef, checked against the Services there are.

Takes an IngressBackend and looks up the one Service that it names; gives the BackendRef, or None where nothing could
ever be meant by it. A Service or port that is missing keeps its BackendRef: the route stays and answers 503, as
nobody else may get its requests, and the diagnostic says what there is instead. The endpoints are no concern of this
file: they change every second, and no Ingress is to be read for that (backends.py).
"""

from collections.abc import Mapping

from sevengate.compiler.backends import has_cluster_ip, has_port
from sevengate.compiler.claims import BackendRef
from sevengate.compiler.spelling import neighbours
from sevengate.compiler.validation import is_port_name, is_service_name, shown
from sevengate.diagnostics import Report, Where
from sevengate.kube.objects import IngressBackend, ResourceRef, Service, ServicePort


class ReferenceReader:
    """Reads backends of Ingresses against the Services of one Snapshot."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        # Paths share Services: those that gave no cause for complaint need not be looked at again.
        self._sound: dict[tuple[str, str, bool], BackendRef] = {}

    def read(
        self, backend: IngressBackend, namespace: str, where: Where, report: Report, *, by_cluster_ip: bool
    ) -> BackendRef | None:
        """Give what a backend in an Ingress of this namespace refers to.

        One that names nothing has been complained of by whoever decoded it.
        """
        if backend.service is None:
            if backend.resource:
                _complain_of_resource(backend.resource, where.at("resource"), report)
            return None
        service_key, port = f"{namespace}/{backend.service.name}", str(backend.service.port)
        ref = self._sound.get((service_key, port, by_cluster_ip))
        return ref or self._check(BackendRef.of(service_key, port, by_cluster_ip=by_cluster_ip), where, report)

    def _check(self, ref: BackendRef, where: Where, report: Report) -> BackendRef | None:
        where = where.at("service")
        service = self._services.get(ref.service_key)
        if not is_service_name(ref.service):
            message = f"{shown(ref.service)} cannot be the name of a Service"
            report.error("object/invalid-value", where.at("name"), message)
            return None
        if not is_port_name(ref.port):
            message = f"{shown(ref.port)} can be neither the name nor the number of a port"
            report.error("object/invalid-value", where.at("port"), message)
            return None
        if service is None:
            report.error(
                "backend/service-not-found",
                where.at("name"),
                f"There is no Service {ref.service_key}; requests get 503",
                hint=self._near(ref),
            )
        elif not has_port(service, ref.port):
            report.error(
                "backend/port-not-found",
                where.at("port"),
                f"Service {ref.service_key} has no port {ref.port}; requests get 503",
                hint=_ports_of(service),
            )
        else:
            self._sound[ref.service_key, ref.port, ref.by_cluster_ip] = ref
        return ref

    def _near(self, ref: BackendRef) -> str:
        namespace = ref.service_key.partition("/")[0]
        near = min((name for name in neighbours(ref.service) if f"{namespace}/{name}" in self._services), default="")
        return f"did you mean {near}?" if near else ""


def lacks_cluster_ip(ref: BackendRef, services: Mapping[str, Service]) -> bool:
    """Say whether a Backend by cluster IP has to fall back to the pods, because its Service has no such address."""
    service = services.get(ref.service_key)
    return ref.by_cluster_ip and service is not None and not has_cluster_ip(service)


def _complain_of_resource(resource: ResourceRef, where: Where, report: Report) -> None:
    report.error(
        "ingress/resource-backend",
        where,
        f"A backend of kind {shown(resource.kind)} cannot be served over HTTP; requests get 503",
        hint="name a Service",
    )


def _ports_of(service: Service) -> str:
    return f"it has {', '.join(_port_text(port) for port in service.ports)}" if service.ports else "it has no ports"


def _port_text(port: ServicePort) -> str:
    number = str(port.port) if port.protocol == "TCP" else f"{port.port}/{port.protocol}"
    return f"{number} ({port.name})" if port.name else number
