"""What the data plane holds, as far as we know: each document's digest, and the shared memory it takes.

It takes what was pushed, or what NGINX says it holds, and gives the Difference that a table makes: the documents to
push and the names to delete. Because names and digests are compared, a push carries only what changed, whoever forgot
to say so. It is bookkeeping without I/O: dataplane.py sends the Difference and enters it here when NGINX said yes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sevengate.nginx.documents import Document

_PAGE: Final = 4096
#: What an entry of a lua_shared_dict takes beside its key and value: a node of a red-black tree and of a queue.
_NODE: Final = 72
#: A pointer's value: the digest.
_DIGEST: Final = 24
_MIB: Final = 1024 * 1024

#: Sizes of the documents' dictionary in MiB. Memory that no document needs is never touched, so room is cheap.
SMALLEST: Final = 64
LARGEST: Final = 4096


class Difference(msgspec.Struct, frozen=True):
    """What must be pushed and deleted, and the shared memory (bytes) in use when both old and new are held."""

    documents: tuple[Document, ...]
    gone: tuple[str, ...]
    peak: int

    def __bool__(self) -> bool:
        return bool(self.documents or self.gone)

    @property
    def bytes(self) -> int:
        """The size of the documents' texts."""
        return sum(len(document.text) for document in self.documents)


class Ledger:
    """Digests and costs of the documents that NGINX holds."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._costs: dict[str, int] = {}
        self._total = 0

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest of each document by name."""
        return self._digests

    def replace(self, digests: Mapping[str, str]) -> None:
        """Forget all and believe what NGINX says it holds; what its documents cost is learnt from the next table."""
        self._digests = dict(digests)
        self._costs.clear()
        self._total = 0

    def whole(self, wanted: Iterable[Document]) -> Difference:
        """Give the difference to a whole table; what is not in it is gone."""
        names: set[str] = set()
        different = []
        for document in wanted:
            names.add(document.name)
            if self._digests.get(document.name) != document.digest:
                different.append(document)
            else:
                self._note(document)
        return self._difference(different, [name for name in self._digests if name not in names])

    def part(self, changed: Iterable[Document], gone: Iterable[str]) -> Difference:
        """Give the difference that some changed documents and some names that are gone make."""
        different = [document for document in changed if self._digests.get(document.name) != document.digest]
        return self._difference(different, [name for name in gone if name in self._digests])

    def enter(self, difference: Difference) -> None:
        """Note that NGINX has taken a difference."""
        for name in difference.gone:
            self._digests.pop(name, None)
            self._total -= self._costs.pop(name, 0)
        for document in difference.documents:
            self._digests[document.name] = document.digest
            self._note(document)

    def _note(self, document: Document) -> None:
        cost = _cost(document)
        self._total += cost - self._costs.get(document.name, 0)
        self._costs[document.name] = cost

    def _difference(self, different: list[Document], gone: list[str]) -> Difference:
        added = sum(_cost(document) for document in different)
        return Difference(tuple(different), tuple(gone), self._total + added)


def dictionary_size(peak: int) -> int:
    """Give the MiB of a dictionary that holds `peak` bytes and as much again: a power of two."""
    size = SMALLEST
    while size * _MIB < 2 * peak and size < LARGEST:
        size *= 2
    return size


def is_tight(peak: int, size: int) -> bool:
    """Say whether `peak` bytes come near the end of a dictionary of `size` MiB."""
    return peak > 0.9 * size * _MIB


def _cost(document: Document) -> int:
    name = len(document.name)
    return _slot(_NODE + name + _DIGEST) + _slot(_NODE + name + 1 + _DIGEST + len(document.text))


def _slot(size: int) -> int:
    """Give what NGINX's slab allocator takes for `size` bytes: a power of two up to half a page, then pages."""
    if size > _PAGE // 2:
        return -(-size // _PAGE) * _PAGE
    return max(8, 1 << (size - 1).bit_length())
