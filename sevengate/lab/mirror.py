"""What a lab's component sees of the cluster: all objects of one kind as plain data, kept by list and watch.

A Mirror holds them by key (`namespace/name`, or `name`) and tells its subscribers of each Change with the object
before and after; an Index of it finds them by what they hold. Mirrors has one Mirror for each Selection, so that ten
controllers decode a pod once. What is held belongs to all: nobody changes it. Writes go through writer.py, which tells
the mirror what came of them, so a controller that has created a pod never misses it in what it reads next.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec

from sevengate.cluster.client import Client
from sevengate.cluster.known import Reading
from sevengate.cluster.reflector import Reflector, Timing
from sevengate.cluster.resources import Resource, Selection
from sevengate.diagnostics import Report, Where
from sevengate.kube.snapshot import Deleted

log = logging.getLogger("sevengate.lab")

#: A Kubernetes object as plain data.
Object = dict[str, Any]

#: A lab is on this machine, so whoever lost it looks again soon.
TIMING: Final = Timing(first_pause=0.05, longest_pause=2.0)


class Change(NamedTuple):
    """What happened to one object; None stands for its absence."""

    key: str
    before: Object | None
    after: Object | None


Heard = Callable[[Change], None]


def key_of(thing: Object) -> str:
    """Give `namespace/name` of an object, or `name` if it has no namespace."""
    metadata = thing["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


class Mirror:
    """The objects of one Selection by key, as they were last heard of."""

    def __init__(self, client: Client, selection: Selection, timing: Timing = TIMING) -> None:
        self.selection = selection
        self._objects: dict[str, Object] = {}
        self._subscribers: list[Heard] = []
        self._indexes: dict[Callable[[Object], Iterable[str]], Index] = {}
        self._synced = asyncio.Event()
        self._reflector = Reflector(client, selection, _plain, self._take, timing)

    @property
    def objects(self) -> Mapping[str, Object]:
        """All objects by key."""
        return self._objects

    @property
    def is_synced(self) -> bool:
        """Whether everything was listed once."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Wait until everything was listed once."""
        await self._synced.wait()

    def subscribe(self, heard: Heard) -> None:
        """Have `heard` called with each Change from now on, and at once with what is there already."""
        for key, thing in self._objects.items():
            heard(Change(key, None, thing))
        self._subscribers.append(heard)

    def index(self, terms: Callable[[Object], Iterable[str]]) -> "Index":
        """Give the index of the objects by the terms that `terms` gives for each; one for all who ask for the same."""
        if terms not in self._indexes:
            self._indexes[terms] = Index(self, terms)
        return self._indexes[terms]

    async def run(self) -> None:
        """Keep up, until cancelled."""
        await self._reflector.run()

    def learn(self, raw: bytes) -> None:
        """Take in an object as a write gave it back."""
        self._reflector.learn(raw)

    def learn_gone(self, key: str) -> None:
        """Take in that a write removed an object."""
        self._reflector.learn_gone(key)

    def _take(self, news: Sequence[Object | Deleted]) -> None:
        for one in news:
            if isinstance(one, Deleted):
                change = Change(one.key, self._objects.pop(one.key, None), None)
            else:
                key = key_of(one)
                change = Change(key, self._objects.get(key), one)
                self._objects[key] = one
            for heard in self._subscribers:
                try:
                    heard(change)
                except Exception:
                    # What one component stumbles over must not keep the others in the dark.
                    log.exception("%s %s: a fault of our own", self.selection, change.key)
        if self._reflector.is_synced:
            self._synced.set()


class Index:
    """The objects of a Mirror by terms: their owner's uid, the name of their node, whatever they are looked up by."""

    def __init__(self, mirror: Mirror, terms: Callable[[Object], Iterable[str]]) -> None:
        self._objects = mirror.objects
        self._terms = terms
        self._keys: dict[str, dict[str, None]] = {}
        mirror.subscribe(self._heard)

    def find(self, term: str) -> Iterator[Object]:
        """Give the objects that have a term."""
        return (self._objects[key] for key in tuple(self._keys.get(term, ())))

    def count(self, term: str) -> int:
        """Say how many objects have a term."""
        return len(self._keys.get(term, ()))

    def _heard(self, change: Change) -> None:
        old = set(self._terms(change.before)) if change.before else set()
        new = set(self._terms(change.after)) if change.after else set()
        for term in old - new:
            held = self._keys[term]
            del held[change.key]
            if not held:
                del self._keys[term]
        for term in new - old:
            self._keys.setdefault(term, {})[change.key] = None


class Mirrors:
    """One Mirror for each Selection that somebody asks for; an async context that keeps them up."""

    def __init__(self, client: Client, timing: Timing = TIMING) -> None:
        self._client = client
        self._timing = timing
        self._running: dict[Selection, tuple[Mirror, asyncio.Task[None]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def of(self, wanted: Resource | Selection) -> Mirror:
        """Give the Mirror of all objects of a Resource, or of a Selection of them."""
        selection = wanted if isinstance(wanted, Selection) else Selection(wanted)
        if selection not in self._running:
            mirror = Mirror(self._client, selection, self._timing)
            self._running[selection] = mirror, asyncio.create_task(mirror.run())
        return self._running[selection][0]

    async def synced(self) -> None:
        """Wait until all that were asked for have listed everything once."""
        await asyncio.gather(*(mirror.synced() for mirror, _ in self._running.values()))

    def learn(self, resource: Resource, raw: bytes) -> None:
        """Tell the Mirror of a Resource what a write gave back."""
        if held := self._running.get(Selection(resource)):
            held[0].learn(raw)

    def learn_gone(self, resource: Resource, key: str) -> None:
        """Tell the Mirror of a Resource that a write removed an object."""
        if held := self._running.get(Selection(resource)):
            held[0].learn_gone(key)


def _plain(resource: Resource, raw: msgspec.Raw, report: Report) -> Reading[Object] | None:
    """Read an object as plain data; who owns which field of it is of no use to anybody here, and a third of it."""
    try:
        thing: Object = msgspec.json.decode(raw)
        thing["metadata"].pop("managedFields", None)
        read = Reading(key_of(thing), str(thing["metadata"]["resourceVersion"]), thing)
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError) as error:
        report.error("manifest/wrong-type", Where(), f"what should be a {resource.kind} cannot be read: {error}")
        return None
    # The items of a list do not say what they are.
    thing.setdefault("apiVersion", resource.api_version)
    thing.setdefault("kind", resource.kind)
    return read
