"""What the types of the API look like: their fields, and how lists of them are merged.

Takes OpenAPI schemas: Kubernetes' own from the package kubernetes-validate (read once, when first needed), and those
that CustomResourceDefinitions carry. Gives Schema, one node of them with its references followed, whose children are
made once and kept. Who merges, validates or documents by them are the modules `patches`, `apply`, `validation` and
`openapi`.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.old_schemas import old_definitions

#: The version of Kubernetes that the lab says it is.
KUBERNETES: Final = "1.37.0"

_REFERENCE: Final = "#/$defs/"
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
#: Keywords that demand something of a value besides its type.
_DEMANDS: Final = frozenset(
    {
        "enum", "minimum", "maximum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
        "maxProperties", "allOf", "anyOf", "oneOf", "not",
    }
)  # fmt: skip


_INT_OR_STRING: Final = frozenset({"integer", "string"})


class SchemasMissingError(Exception):
    """The package with Kubernetes' schemas is not installed."""


class Schema:
    """One node of a schema: a type's fields, a list's items, or a map's values."""

    __slots__ = ("_children", "_definitions", "_items", "_values", "accepted", "is_plain", "node", "types")

    def __init__(self, node: Object, definitions: Object) -> None:
        self._definitions = definitions
        self.node = self._followed(node)
        found = self.node.get("type", ())
        #: The JSON types that are taken; empty where any is.
        self.types = frozenset((found,) if isinstance(found, str) else found)
        #: The same, as values are checked: absent and null are alike to Kubernetes, and null was taken out.
        self.accepted = _INT_OR_STRING if self.node.get("x-kubernetes-int-or-string") else self.types - {"null"}
        #: Whether nothing but types and fields is demanded, as of nearly all of Kubernetes' own.
        self.is_plain = not _DEMANDS & self.node.keys()
        self._children: dict[str, Schema | None] = {}
        self._items: Schema | None = None
        self._values: Schema | None = None

    def _followed(self, node: Object) -> Object:
        """Follow a reference; what stands beside it (patch strategy, list type) stays in force."""
        if "$ref" not in node:
            return node
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**self._definitions[node["$ref"].removeprefix(_REFERENCE)], **beside}

    def beside(self, node: Object) -> "Schema":
        """Give another node that refers to the same definitions."""
        return Schema(node, self._definitions)

    def child(self, name: str) -> "Schema | None":
        """Give the schema of a field, or of a map's value; None where none is known."""
        if name not in self._children:
            node = self.node.get("properties", {}).get(name)
            self._children[name] = Schema(node, self._definitions) if isinstance(node, dict) else self.values
        return self._children[name]

    @property
    def values(self) -> "Schema | None":
        """The schema of a map's values."""
        node = self.node.get("additionalProperties")
        if self._values is None and isinstance(node, dict):
            self._values = Schema(node, self._definitions)
        return self._values

    @property
    def items(self) -> "Schema | None":
        """The schema of a list's items."""
        node = self.node.get("items")
        if self._items is None and isinstance(node, dict):
            self._items = Schema(node, self._definitions)
        return self._items

    @property
    def is_map(self) -> bool:
        """Whether the keys are the user's and not the type's."""
        return "properties" not in self.node and "object" in self.types

    @property
    def is_open(self) -> bool:
        """Whether fields that are not named are kept."""
        node = self.node
        return (
            bool(node.get("x-kubernetes-preserve-unknown-fields"))
            or bool(node.get("additionalProperties"))
            or ("properties" not in node and not node.get("x-kubernetes-embedded-resource"))
        )

    @property
    def patch_key(self) -> str:
        """The field by which a strategic merge tells a list's items apart; "" for none."""
        return str(self.node.get("x-kubernetes-patch-merge-key", ""))

    @property
    def patch_strategies(self) -> frozenset[str]:
        """How a strategic merge treats a list or map: merge, replace, retainKeys."""
        return frozenset(str(self.node.get("x-kubernetes-patch-strategy", "")).split(",")) - {""}

    @property
    def list_keys(self) -> tuple[str, ...]:
        """The fields that name an item of an associative list; empty for other lists."""
        if self.node.get("x-kubernetes-list-type") != "map":
            return ()
        return tuple(self.node.get("x-kubernetes-list-map-keys", ()))

    @property
    def is_set(self) -> bool:
        """Whether a list is a set of scalars."""
        return bool(self.node.get("x-kubernetes-list-type") == "set")

    @property
    def is_atomic(self) -> bool:
        """Whether it is owned and replaced as a whole (structured-merge-diff)."""
        types = self.types
        if "array" in types:
            return not self.list_keys and not self.is_set
        return self.node.get("x-kubernetes-map-type") == "atomic" or not types or bool(types & _SCALARS)


#: For what no schema is known: anything goes, and lists are replaced as a whole.
ANY: Final = Schema({"x-kubernetes-preserve-unknown-fields": True, "type": "object"}, {})


@cache
def definitions() -> Object:
    """Read Kubernetes' own definitions, old ones too, by name; raise SchemasMissingError if they are not installed."""
    folder = f"kubernetes-json-schema/v{KUBERNETES}-local"
    try:
        text = files("kubernetes_validate").joinpath(folder, "_definitions.json").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise SchemasMissingError("the lab needs Kubernetes' schemas: pip install 'sevengate[lab]'") from error
    found: Object = msgspec.json.decode(text)["$defs"]
    return found | old_definitions(found)


@cache
def definition_name(group: str, version: str, kind: str) -> str:
    """Give the name of the definition of a kind; raise LookupError if there is none."""
    for name, node in definitions().items():
        for served in node.get("x-kubernetes-group-version-kind", ()):
            if (served["group"], served["version"], served["kind"]) == (group, version, kind):
                return str(name)
    raise LookupError(f"{group}/{version} {kind}")


@cache
def built_in(group: str, version: str, kind: str) -> Schema:
    """Give the schema of a kind of Kubernetes' own; raise LookupError if there is none."""
    return Schema(definitions()[definition_name(group, version, kind)], definitions())


@cache
def object_meta() -> Schema:
    """Give the schema of `metadata`."""
    return Schema(definitions()["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"], definitions())


def custom(node: Object) -> Schema:
    """Give the schema of a kind that a CustomResourceDefinition describes."""
    known: dict[str, Any] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties = {**node.get("properties", {}), **known, "metadata": object_meta().node}
    return Schema({**node, "type": "object", "properties": properties}, definitions())
