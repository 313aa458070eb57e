"""Plain data or JSON of one Kubernetes object becomes one of the nouns of objects.py, or a Diagnostic.

`decode` takes what a YAML or JSON parser gave; `decode_json` takes bytes as an API server sends them and skips the
plain data altogether. KINDS says for each apiVersion and kind which shape it has and which function makes the noun.
Here types, names and what belongs together are checked; what decides a route (hosts, paths, annotations) is left to
the compiler, which knows what may stand there. Nothing raises: what cannot be read is told to the report and is None.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from sevengate.diagnostics import ObjectRef, Report, Where
from sevengate.kube import flatten, ingresses, shapes
from sevengate.kube.builtin import is_built_in
from sevengate.kube.fault import Fault, of_validation
from sevengate.kube.names import is_label, is_qualified, is_subdomain
from sevengate.kube.objects import AnyObject, Metadata

Shape = shapes.Object | shapes.EndpointSlice

#: What kubectl keeps for itself in each object it applied: a second copy of the object, which nothing here reads.
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
#: The API server's limit for all annotations of an object, in bytes of keys and values.
MAX_ANNOTATIONS: Final = 256 * 1024


class Kind(msgspec.Struct, frozen=True):
    """How objects of one apiVersion and kind are read.

    `make` takes the shape, its metadata and a list for faults that leave the object standing. `successor` is the
    apiVersion that clusters serve today, for those of the past.
    """

    shape: type[Shape]
    make: Callable[[Any, Metadata, list[Fault]], AnyObject]
    namespaced: bool = True
    is_name: Callable[[str], bool] = is_subdomain
    successor: str = ""


#: All that is read, by apiVersion and kind.
KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("networking.k8s.io/v1", "Ingress"): Kind(shapes.Ingress, ingresses.ingress),
    ("networking.k8s.io/v1beta1", "Ingress"): Kind(
        shapes.Ingress, ingresses.old_ingress, successor="networking.k8s.io/v1"
    ),
    ("extensions/v1beta1", "Ingress"): Kind(shapes.Ingress, ingresses.old_ingress, successor="networking.k8s.io/v1"),
    ("networking.k8s.io/v1", "IngressClass"): Kind(shapes.IngressClass, ingresses.ingress_class, namespaced=False),
    ("networking.k8s.io/v1beta1", "IngressClass"): Kind(
        shapes.IngressClass, ingresses.ingress_class, namespaced=False, successor="networking.k8s.io/v1"
    ),
    ("v1", "Service"): Kind(shapes.Service, flatten.service, is_name=is_label),
    ("discovery.k8s.io/v1", "EndpointSlice"): Kind(shapes.EndpointSlice, flatten.endpoint_slice),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Kind(
        shapes.EndpointSlice, flatten.endpoint_slice, successor="discovery.k8s.io/v1"
    ),
    ("v1", "Endpoints"): Kind(shapes.Endpoints, flatten.endpoints),
    ("v1", "Secret"): Kind(shapes.Secret, flatten.secret),
    ("v1", "ConfigMap"): Kind(shapes.ConfigMap, flatten.config_map),
    ("v1", "Namespace"): Kind(shapes.Object, flatten.namespace, namespaced=False, is_name=is_label),
    ("v1", "Node"): Kind(shapes.Node, flatten.node, namespaced=False),
    ("v1", "Pod"): Kind(shapes.Pod, flatten.pod),
}
_READ_KINDS: Final = frozenset(kind for _, kind in KINDS)


def decode(plain: object, report: Report, *, default_namespace: str = "") -> AnyObject | None:
    """Read one object of any kind, or tell the report why not and give None.

    An object that names no namespace and needs one gets `default_namespace`, as kubectl does; where that is "" too,
    the object falls.
    """
    ref = None
    faults: list[Fault] = []
    try:
        tree, api_version, kind = _typed(plain)
        ref = _ref(tree, kind, default_namespace)
        row = KINDS.get((api_version, kind))
        if row is None:
            _pass_over(api_version, kind, Where(ref), report)
            return None
        if row.successor:
            message = f"{api_version} {kind} is no longer served by clusters; it is read as {row.successor}"
            hint = "sevengate check --fix rewrites it" if kind.startswith("Ingress") else ""
            report.notice("manifest/old-version", Where(ref, "apiVersion"), message, hint=hint)
        shape = _shape(row, tree, faults)
        return row.make(shape, _metadata(row, shape, default_namespace), faults)
    except Fault as fault:
        faults.append(fault)
        return None
    except UnicodeEncodeError:
        faults.append(Fault("object/invalid-value", "", "A text holds half of a surrogate pair, which is no character"))
        return None
    finally:
        _tell(faults, ref, report)


def decode_json(api_version: str, kind: str, raw: bytes | msgspec.Raw, report: Report) -> AnyObject | None:
    """Read one object of a kind of KINDS from JSON; it may leave out apiVersion and kind, as items of a list do."""
    row = KINDS[api_version, kind]
    faults: list[Fault] = []
    try:
        shape = _shape_or_plain(row, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        report.error("manifest/syntax", Where(), f"This is not JSON: {error}")
        return None
    if not isinstance(shape, shapes.Shape):
        return decode({**shape, "apiVersion": api_version, "kind": kind}, report)
    try:
        return row.make(shape, _metadata(row, shape, ""), faults)
    except Fault as fault:
        faults.append(fault)
        return None
    finally:
        if faults:
            _tell(faults, _ref(msgspec.to_builtins(shape), kind, ""), report)


def _shape_or_plain(row: Kind, raw: bytes | msgspec.Raw) -> Shape | dict[str, object]:
    """Give the shape, or, where the types do not fit it, plain data, which know what each field is called."""
    try:
        return _decoder(row.shape).decode(raw)
    except msgspec.ValidationError:
        return msgspec.json.decode(raw, type=dict[str, object])


@cache
def _decoder(shape: type[Shape]) -> msgspec.json.Decoder[Shape]:
    return msgspec.json.Decoder(shape)


def _typed(plain: object) -> tuple[dict[str, object], str, str]:
    if not isinstance(plain, dict):
        raise Fault("manifest/not-an-object", "", "This is not a Kubernetes object but some other value")
    api_version, kind = plain.get("apiVersion"), plain.get("kind")
    for field, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str) or not value:
            raise Fault("manifest/not-an-object", field, f"{field} is missing, or not a string")
    return plain, str(api_version), str(kind)


def _ref(tree: dict[str, object], kind: str, default_namespace: str) -> ObjectRef | None:
    """Name the object, as far as it can be named before it is read; text that is no name is cut short."""
    metadata = tree.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        return None
    namespace = metadata.get("namespace")
    if not isinstance(namespace, str):
        namespace = default_namespace
    is_cluster_wide = any(not row.namespaced for (_, known), row in KINDS.items() if known == kind)
    return ObjectRef(kind[:63], "" if is_cluster_wide else namespace[:63], name[:253])


def _pass_over(api_version: str, kind: str, where: Where, report: Report) -> None:
    if kind in _READ_KINDS:
        versions = " or ".join(version for version, known in KINDS if known == kind)
        message = f"{kind} is read as {versions}, not as {api_version[:80]}"
        report.warning("manifest/unknown-kind", where.at("apiVersion"), message)
    elif not is_built_in(api_version, kind):
        message = f"{kind[:80]} of {api_version[:80]} is not a kind that Sevengate reads"
        report.notice("manifest/unknown-kind", where.at("kind"), message)


def _shape(row: Kind, tree: dict[str, object], faults: list[Fault]) -> Shape:
    try:
        return msgspec.convert(tree, row.shape)
    except msgspec.ValidationError as error:
        if row.shape is shapes.Ingress:
            return ingresses.shape_piece_by_piece(tree, faults)
        raise of_validation(error, tree) from None


def _metadata(row: Kind, shape: Shape, default_namespace: str) -> Metadata:
    metadata = shape.metadata
    if metadata is None or not metadata.name:
        raise Fault("manifest/not-an-object", "metadata.name", "metadata.name is missing")
    if not row.is_name(metadata.name):
        raise Fault("object/invalid-name", "metadata.name", _not_a_name(metadata.name))
    labels, annotations = _labels(metadata)
    return Metadata(
        name=metadata.name,
        namespace=_namespace(metadata.namespace or default_namespace) if row.namespaced else "",
        uid=metadata.uid or "",
        resource_version=metadata.resource_version or "",
        generation=metadata.generation or 0,
        creation_timestamp=metadata.creation_timestamp or "",
        deletion_timestamp=metadata.deletion_timestamp or "",
        labels=labels,
        annotations=annotations,
    )


def _namespace(namespace: str) -> str:
    if not namespace:
        raise Fault("object/invalid-name", "metadata.namespace", "metadata.namespace is missing")
    if not is_label(namespace):
        raise Fault("object/invalid-name", "metadata.namespace", _not_a_name(namespace))
    return namespace


#: Shared by all objects without labels or annotations; an empty dict each would cost 100,000 objects 12 MB.
_NONE: Final[dict[str, str]] = {}


def _labels(metadata: shapes.Identity) -> tuple[dict[str, str], dict[str, str]]:
    if not isinstance(metadata, shapes.Metadata):
        return _NONE, _NONE
    annotations = metadata.annotations or _NONE
    _check_annotations(annotations)
    if LAST_APPLIED in annotations:
        annotations = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
    return metadata.labels or _NONE, annotations


def _check_annotations(annotations: dict[str, str]) -> None:
    """Refuse what the API server refuses; an annotation that got lost might have guarded something."""
    size = 0
    for key, value in annotations.items():
        if not is_qualified(key):
            message = f"{_shown(key)} cannot be the name of an annotation"
            raise Fault("object/invalid-name", f"metadata.annotations[{key[:80]}]", message)
        size += len(key) + len(value.encode(errors="surrogatepass"))
    if size > MAX_ANNOTATIONS:
        message = f"All annotations together are {size} bytes; {MAX_ANNOTATIONS} are allowed"
        raise Fault("manifest/too-large", "metadata.annotations", message)


def _not_a_name(name: str) -> str:
    return f"{_shown(name)} is not a name: lower-case letters, digits and '-' are, at most 253 of them"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "…")


def _tell(faults: list[Fault], ref: ObjectRef | None, report: Report) -> None:
    for fault in faults:
        report.error(fault.code, Where(ref, fault.field), fault.message, hint=fault.hint)
