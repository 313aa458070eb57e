"""Who selects whom by labels, without asking everybody: Services and pods, ReplicaSets and pods.

A label selector is looked up by its rarest term; a labelled thing finds those that select it by the first term of
their selector. So two thousand pods and five hundred Services cost what matches, and not a million comparisons. A
selector is a LabelSelector; one that is empty selects nothing here, because that is what Services and workloads mean
by it.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from sevengate.lab.apiserver.selectors import Selector, of_label_selector
from sevengate.lab.mirror import Mirror, Object


@lru_cache(maxsize=4096)
def _compiled(text: bytes) -> Selector:
    return of_label_selector(msgspec.json.decode(text))


def matches(selector: Object, thing: Object) -> bool:
    """Say whether a LabelSelector selects a thing."""
    return _compiled(msgspec.json.encode(selector)).matches(thing)


class Labelled:
    """The things of a Mirror by their labels."""

    def __init__(self, mirror: Mirror) -> None:
        self._index = mirror.index(_terms_of_labels)

    def selected(self, namespace: str, selector: Object) -> Iterator[Object]:
        """Give those of a namespace that a selector selects."""
        if not (selector.get("matchLabels") or selector.get("matchExpressions")):
            return
        exact = selector.get("matchLabels") or {}
        terms = [f"{namespace}/{key}={value}" for key, value in exact.items()] or [f"{namespace}/"]
        compiled = _compiled(msgspec.json.encode(selector))
        for thing in self._index.find(min(terms, key=self._index.count)):
            if compiled.matches(thing):
                yield thing


class Selecting:
    """The things of a Mirror that select others; `selector_of` gives the LabelSelector of one, or None."""

    def __init__(self, mirror: Mirror, selector_of: Callable[[Object], Object | None]) -> None:
        self._selector_of = selector_of
        self._index = mirror.index(self._terms)

    def of(self, thing: Object) -> Iterator[Object]:
        """Give those that select a thing."""
        for term in _terms_of_labels(thing):
            for one in self._index.find(term):
                selector = self._selector_of(one)
                if selector is not None and matches(selector, thing):
                    yield one

    def _terms(self, thing: Object) -> list[str]:
        selector = self._selector_of(thing)
        namespace = thing["metadata"].get("namespace", "")
        if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
            return []
        first = next(iter((selector.get("matchLabels") or {}).items()), None)
        return [f"{namespace}/{first[0]}={first[1]}" if first else f"{namespace}/"]


def _terms_of_labels(thing: Object) -> list[str]:
    namespace = thing["metadata"].get("namespace", "")
    labels = thing["metadata"].get("labels") or {}
    return [f"{namespace}/", *(f"{namespace}/{key}={value}" for key, value in labels.items())]
