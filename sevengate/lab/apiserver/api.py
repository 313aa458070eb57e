"""Puts the parts of one API server together: storage, types, verbs, and who may do what.

Takes nothing but a clock; gives an Api with the namespaces that every cluster has. It knows no HTTP: `server` sends
requests to it, and tests may put objects into its storage directly.
"""

from typing import Final
from uuid import uuid4

from sevengate.lab.apiserver import crds
from sevengate.lab.apiserver.admission import Admission
from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.clock import Clock, system_clock, written
from sevengate.lab.apiserver.defaults import fill
from sevengate.lab.apiserver.events import CONVERSIONS
from sevengate.lab.apiserver.faults import Faults
from sevengate.lab.apiserver.identity import Tokens
from sevengate.lab.apiserver.legacy import legacy_resources
from sevengate.lab.apiserver.removal import Removal
from sevengate.lab.apiserver.resources import Resources, own_resources
from sevengate.lab.apiserver.reviews import Reviews
from sevengate.lab.apiserver.storage import Storage
from sevengate.lab.apiserver.subresources import Subresources
from sevengate.lab.apiserver.verbs import Verbs

#: The namespaces of every cluster.
NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


class Api:
    """One API server, without its socket."""

    def __init__(self, clock: Clock = system_clock, *, legacy_apis: bool = False) -> None:
        self.clock = clock
        self.storage = Storage()
        self.resources = Resources(own_resources(CONVERSIONS))
        for resource in tuple(legacy_resources(self.resources)) if legacy_apis else ():
            self.resources.add(resource)
        self.tokens = Tokens(self.storage)
        self.faults = Faults()
        self.reviews = Reviews(self.storage, self.tokens)
        self.removal = Removal(self.storage, self.resources, clock)
        self.verbs = Verbs(self.storage, self.removal, Admission(self.storage), clock)
        self.subresources = Subresources(self.verbs, self.tokens)
        crds.follow(self.storage, self.resources)
        for name in NAMESPACES:
            self.storage.put(("", "namespaces"), ("", name), self._namespace(name))

    def _namespace(self, name: str) -> Object:
        metadata = {"name": name, "uid": str(uuid4()), "creationTimestamp": written(self.clock())}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}}
        fill(namespace)
        return namespace
