"""What the options name: the ConfigMap of settings, the default backend's Service, the default certificate's Secret.

Takes the Snapshot and the options and gives what holds for all Ingresses, with what is wrong with it. A change of any
of these objects makes compile.py read everything anew, so nothing here is made for being cheap.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from sevengate.compiler.certificates import CertificateStore, Fault, KeyPair
from sevengate.compiler.claims import BackendRef
from sevengate.compiler.tls import complain_of_date
from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Where
from sevengate.kube.snapshot import Changes, Snapshot
from sevengate.routing.table import DEFAULT_CERTIFICATE, Certificate
from sevengate.settings import Options, Settings, read_settings


class Defaults(msgspec.Struct, frozen=True):
    """What holds for all Ingresses."""

    settings: Settings
    backend: BackendRef | None
    key_pair: KeyPair | None
    diagnostics: Mapping[ObjectRef, tuple[Diagnostic, ...]]

    @property
    def certificate(self) -> Certificate | None:
        """The certificate for clients that no other one is for, under the name that says so."""
        if self.key_pair is None or isinstance(self.key_pair.content, Fault):
            return None
        return msgspec.structs.replace(self.key_pair.content, name=DEFAULT_CERTIFICATE)


def concern_defaults(changes: Changes, options: Options) -> bool:
    """Say whether one of the objects has changed that hold for all Ingresses."""
    return bool(
        changes.ingress_classes
        or options.configmap in changes.config_maps
        or options.default_backend_service in changes.services
        or options.default_ssl_certificate in changes.secrets
    )


def read_defaults(snapshot: Snapshot, options: Options, certificates: CertificateStore, now: datetime) -> Defaults:
    """Read the objects that the options name; one that is not named is not missed."""
    config_map = _reference("ConfigMap", options.configmap)
    of_settings, of_certificate = Report(), Report()
    settings = _settings(snapshot, options.configmap, Where(config_map), of_settings)
    settings = msgspec.structs.replace(settings, metering=options.metering)
    secret = _reference("Secret", options.default_ssl_certificate)
    key_pair = _key_pair(certificates, options.default_ssl_certificate, now, of_certificate)
    said = {config_map: of_settings.done(), secret: of_certificate.done()}
    return Defaults(
        settings,
        # What is wrong with the Service is said where other things are said of Services: in compile.py.
        read_default_backend(snapshot, options.default_backend_service, Report()),
        key_pair,
        {ref: diagnostics for ref, diagnostics in said.items() if diagnostics},
    )


def read_default_backend(snapshot: Snapshot, key: str, report: Report) -> BackendRef | None:
    """Give the first port of the Service that takes what no route serves."""
    if not key:
        return None
    service = snapshot.services.get(key)
    where = Where(_reference("Service", key))
    if service is None:
        report.error("backend/service-not-found", where, f"There is no default backend {key}; Sevengate answers 404")
        return None
    if not service.ports:
        report.error("backend/port-not-found", where, f"Default backend {key} has no port; Sevengate answers 404")
        return None
    return BackendRef.of(key, str(service.ports[0].port))


def _settings(snapshot: Snapshot, key: str, where: Where, report: Report) -> Settings:
    config_map = snapshot.config_maps.get(key)
    if key and config_map is None:
        message = f"There is no ConfigMap {key}; all settings have their defaults"
        report.warning("setting/config-map-not-found", where, message)
    return read_settings(config_map.data if config_map else {}, where, report)


def _key_pair(certificates: CertificateStore, key: str, now: datetime, report: Report) -> KeyPair | None:
    if not key:
        return None
    where = Where(_reference("Secret", key))
    pair = certificates.get(key)
    if pair is None:
        report.error("tls/secret-not-found", where, f"There is no Secret {key} for the default certificate")
    elif isinstance(pair.content, Fault):
        report.error(pair.content.code, where, f"No default certificate: {pair.content.message}")
    else:
        complain_of_date(pair, now, where, report)
    return pair


def _reference(kind: str, key: str) -> ObjectRef:
    namespace, _, name = key.rpartition("/")
    return ObjectRef(kind, namespace, name)
