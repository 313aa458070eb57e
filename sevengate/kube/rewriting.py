"""The text of a manifest with objects of old versions becomes one of today's versions; all the rest stays as it is.

Takes a text; gives a Rewriting: the new text, or the old one and why it must stay. Comments, order, quotes and other
documents are kept because nothing is written anew: a few words are put in or replaced where they stand (pen.py). What
was rewritten is read again and compared with what `conversion` makes of the data, so that a text whose anchors or
layout defeat these edits is refused and never changed to mean something else. Files are left to the caller.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Final

import msgspec

from sevengate.diagnostics import Diagnostic, ObjectRef, Origin, Report, Where
from sevengate.kube.conversion import NEW_VERSION, OLD_VERSIONS, PATH_TYPE, Plain, modern, port_number
from sevengate.kube.fault import Fault
from sevengate.kube.manifest import Chunk, chunks, items, join
from sevengate.kube.pen import Entry, Pen, UnsafeError
from sevengate.kube.yaml11 import BrokenText, documents

_ANNOTATION: Final = "kubernetes.io/ingress.class"
_RBAC: Final = "rbac.authorization.k8s.io"
#: The objects that can be rewritten, and the version that they get.
_SUCCESSORS: Final = (
    dict.fromkeys(((version, "Ingress") for version in OLD_VERSIONS), NEW_VERSION)
    | {("networking.k8s.io/v1beta1", "IngressClass"): NEW_VERSION}
    | {
        (f"{_RBAC}/v1beta1", kind): f"{_RBAC}/v1"
        for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    }
)
_LAYOUT_HINT: Final = "write it in the new version by hand"


class Rewriting(msgspec.Struct, frozen=True):
    """The text as it is to be, how many objects were rewritten in it, and what there was to say."""

    text: str
    count: int
    diagnostics: tuple[Diagnostic, ...]


def rewrite(text: str, file: str, classes: frozenset[str] = frozenset()) -> Rewriting:
    """Rewrite all objects of old versions, or none where one cannot be, which is an error among the diagnostics.

    `classes` are the IngressClasses that are known to exist: only for those may spec.ingressClassName take the place of
    the annotation, because the annotation needs no such object.
    """
    broken, notices = Report(), Report()
    pieces: list[str] = []
    count = end = 0
    for start, group in groupby(chunks(text, file, broken), lambda chunk: chunk.start):
        draft = _Draft(tuple(group), classes, notices)
        pieces += text[end:start], draft.written(broken)
        count += draft.count
        end = start + len(draft.pen.text)
    if len(broken):
        return Rewriting(text, 0, broken.done())
    return Rewriting("".join(pieces) + text[end:], count, notices.done())


class _Draft:
    """Rewrites one text, which mostly is one document."""

    def __init__(self, together: tuple[Chunk, ...], classes: frozenset[str], notices: Report) -> None:
        self._chunks = together
        self._classes = classes
        self._notices = notices
        self.pen = Pen(together[0].document.text)
        self.count = 0

    def written(self, broken: Report) -> str:
        """Give the text as it is to be; what stands against that is told to `broken`."""
        wanted: list[object] = []
        for number, chunk in enumerate(self._chunks):
            with _refusing(chunk, "", broken):
                self._list(number, chunk.plain)
            for inside, plain in items(chunk.plain):
                with _refusing(chunk, inside, broken):
                    wanted.append(self._object(chunk, number, inside, plain))
        if not self.count or len(broken):
            return self.pen.text
        text = self.pen.written()
        with _refusing(self._chunks[0], "", broken):
            if _encoded(_objects(text)) != _encoded(wanted):
                raise UnsafeError(1, "Anchors, aliases or an unusual layout stand in the way of rewriting this")
        return text

    def _list(self, number: int, plain: object) -> None:
        """Rewrite the version of an IngressList; that of a List is v1 already."""
        version, kind = _typed(plain)
        successor = _SUCCESSORS.get((version, kind.removesuffix("List")))
        if successor and kind.endswith("List"):
            self.pen.replace(self.pen.entry(self.pen.node(number, ""), "apiVersion").value, successor)

    def _object(self, chunk: Chunk, number: int, inside: str, plain: object) -> object:
        """Rewrite an object if it is of an old version; give what it is to be."""
        version, kind = _typed(plain)
        successor = _SUCCESSORS.get((version, kind))
        if not isinstance(plain, dict) or not successor:
            return plain
        self.count += 1
        node = self.pen.node(number, inside)
        if self.pen.has(node, "apiVersion"):
            self.pen.replace(self.pen.entry(node, "apiVersion").value, successor)
        if kind != "Ingress":
            return {**plain, "apiVersion": successor}
        wanted = modern(plain)
        layout = _Layout(self.pen, node)
        layout.rewrite(plain.get("spec") or {})
        return self._class(chunk, inside, layout, wanted)

    def _class(self, chunk: Chunk, inside: str, layout: "_Layout", wanted: Plain) -> Plain:
        """Name the class in spec.ingressClassName, if that is safe, or say what there is to think of."""
        metadata, spec = wanted.get("metadata") or {}, wanted.get("spec") or {}
        annotations = metadata.get("annotations") or {}
        name = annotations.get(_ANNOTATION)
        if not isinstance(name, str) or spec.get("ingressClassName") is not None:
            return wanted
        if name in self._classes and layout.move_class():
            left = {key: value for key, value in annotations.items() if key != _ANNOTATION}
            rest = {key: value for key, value in metadata.items() if key != "annotations"}
            metadata = {**rest, "annotations": left} if left else rest
            return {**wanted, "metadata": metadata, "spec": {**spec, "ingressClassName": name}}
        field = f"metadata.annotations[{_ANNOTATION}]"
        where = Where(_ref(wanted), field, Origin(chunk.document.file, chunk.document.lines().of(join(inside, field))))
        message = f"The class {name[:80]!r} is still named by the annotation, which goes on working"
        hint = f"write spec.ingressClassName: {name[:80]} in its place once there is an IngressClass of that name"
        self._notices.notice("manifest/class-annotation", where, message, hint=hint)
        return wanted


class _Layout:
    """Puts the words of the new version into the text of one Ingress."""

    def __init__(self, pen: Pen, ingress: Any) -> None:
        self._pen = pen
        self._ingress = ingress
        # A node that several aliases stand for is rewritten once.
        self._done: set[int] = set()

    def rewrite(self, spec: Plain) -> None:
        """Rewrite the default backend and all paths."""
        if not spec:
            return
        node = self._pen.entry(self._ingress, "spec").value
        if "backend" in spec:
            default = self._pen.entry(node, "backend")
            self._pen.replace(default.key, "defaultBackend")
            self._backend(default.value, spec["backend"] or {})
        for i, rule in enumerate(spec.get("rules") or ()):
            for j, path in enumerate((rule.get("http") or {}).get("paths") or ()):
                self._path(self._pen.below(node, f"rules[{i}].http.paths[{j}]"), path)

    def _path(self, node: Any, path: Plain) -> None:
        if id(node) in self._done:
            return
        self._done.add(id(node))
        if path.get("pathType") is None:
            self._path_type(node)
        self._backend(self._pen.entry(node, "backend").value, path["backend"])

    def _path_type(self, node: Any) -> None:
        """Write the type that was meant, below the path."""
        pen = self._pen
        if pen.has(node, "pathType"):
            return pen.fill(pen.entry(node, "pathType"), PATH_TYPE)
        neighbour = pen.entry(node, "path" if pen.has(node, "path") else "backend")
        word = f"{pen.marked('pathType', neighbour)}: {pen.marked(PATH_TYPE, neighbour)}"
        if neighbour.name == "path" and neighbour.is_on_one_line:
            return pen.put_after(node, neighbour, word)
        return pen.put_before(node, pen.entry(node, "backend"), word)

    def _backend(self, node: Any, backend: Plain) -> None:
        if id(node) in self._done or "serviceName" not in backend:
            return
        self._done.add(id(node))
        name, port = self._pen.entry(node, "serviceName"), self._pen.entry(node, "servicePort")
        number = port_number(backend["servicePort"])
        if isinstance(backend["servicePort"], str) and number is not None:
            self._pen.replace(port.value, str(number), bare=True)
        write = self._flow_backend if node.flow_style else self._block_backend
        write(name, port, "name" if number is None else "number")

    def _flow_backend(self, name: Entry, port: Entry, kind: str) -> None:
        """`serviceName: a, servicePort: 1` becomes `service: {name: a, port: {number: 1}}`."""
        pen = self._pen
        first, last = sorted((name, port), key=lambda entry: entry.start)
        pen.insert(first.start, f"{pen.marked('service', first)}: {{")
        pen.replace(name.key, "name")
        pen.insert(port.start, f"{pen.marked('port', port)}: {{")
        pen.replace(port.key, kind)
        pen.insert(port.end, "}")
        pen.insert(last.end, "}")

    def _block_backend(self, name: Entry, port: Entry, kind: str) -> None:
        """The same in lines, two spaces deeper."""
        pen = self._pen
        first, last = sorted((name, port), key=lambda entry: entry.start)
        for entry in (first, last):
            if not (entry.is_on_one_line and pen.starts_line(entry.start)):
                raise UnsafeError(entry.line, f"{entry.name} and its value do not stand on a line of their own")
        deeper = " " * (first.column + 2)
        pen.insert(first.start, f"service:{pen.newline}{deeper}")
        pen.insert(last.start, "  ")
        pen.replace(name.key, "name")
        pen.insert(port.start, f"port:{pen.newline}{deeper}  ")
        pen.replace(port.key, kind)

    def move_class(self) -> bool:
        """Take the annotation out and write the field; say whether the text allowed it."""
        pen, spec = self._pen, self._pen.entry(self._ingress, "spec").value
        annotations = pen.entry(pen.entry(self._ingress, "metadata").value, "annotations")
        annotation = pen.entry(annotations.value, _ANNOTATION)
        lines = pen.lines(annotation if len(annotations.value.value) > 1 else annotations, annotation)
        if lines is None or spec.flow_style or not annotation.is_on_one_line:
            return False
        pen.remove(*lines)
        pen.put_before(spec, pen.first(spec), f"ingressClassName: {pen.source(annotation.value)}")
        return True


# --- data


def _typed(plain: object) -> tuple[str, str]:
    """Give version and kind, as far as they are there."""
    if not isinstance(plain, dict):
        return "", ""
    version, kind = plain.get("apiVersion"), plain.get("kind")
    return version if isinstance(version, str) else "", kind if isinstance(kind, str) else ""


def _ref(plain: object) -> ObjectRef | None:
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        return None
    return ObjectRef(_typed(plain)[1], str(metadata.get("namespace") or "default"), name)


def _objects(text: str) -> list[object] | None:
    """Give the objects of a text, None where it is not YAML any more."""
    try:
        return [plain for _, root in documents(text) if root is not None for _, plain in items(root)]
    except BrokenText:
        return None


def _encoded(objects: list[object] | None) -> bytes:
    # Python takes 1, 1.0 and True for the same; JSON does not.
    return msgspec.json.encode(objects, order="deterministic")


@contextmanager
def _refusing(chunk: Chunk, inside: str, broken: Report) -> Iterator[None]:
    """Tell the report what stands against a rewriting, with its line."""
    document = chunk.document
    try:
        yield
    except Fault as fault:
        origin = Origin(document.file, document.lines().of(join(inside, fault.field)))
        broken.error("manifest/not-rewritten", Where(origin=origin), fault.message, hint=fault.hint)
    except UnsafeError as unsafe:
        origin = Origin(document.file, document.lines_before + unsafe.line)
        broken.error("manifest/not-rewritten", Where(origin=origin), unsafe.message, hint=_LAYOUT_HINT)
