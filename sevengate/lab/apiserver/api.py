"""Puts the parts of one API server together: storage, types, verbs, and who may do what.

Takes a clock and a Plan of addresses; gives an Api with the namespaces and roles that every cluster has. It knows no
HTTP: `server` sends requests to it, and tests may put objects into its storage directly.
"""

from typing import Final
from uuid import uuid4

from sevengate.lab.addresses import LOOPBACK, Plan
from sevengate.lab.apiserver import crds
from sevengate.lab.apiserver.admission import Admission
from sevengate.lab.apiserver.allocation import Allocation
from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.bootstrap import roles
from sevengate.lab.apiserver.clock import Clock, system_clock, written
from sevengate.lab.apiserver.defaults import fill
from sevengate.lab.apiserver.events import CONVERSIONS
from sevengate.lab.apiserver.faults import Faults
from sevengate.lab.apiserver.identity import Tokens
from sevengate.lab.apiserver.itself import objects_about
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

    def __init__(
        self,
        clock: Clock = system_clock,
        plan: Plan = LOOPBACK,
        *,
        legacy_apis: bool = False,
        collects_garbage: bool = True,
    ) -> None:
        self.clock = clock
        self.plan = plan
        self.storage = Storage()
        self.resources = Resources(own_resources(CONVERSIONS))
        for resource in tuple(legacy_resources(self.resources)) if legacy_apis else ():
            self.resources.add(resource)
        self.tokens = Tokens(self.storage)
        self.faults = Faults()
        self.reviews = Reviews(self.storage, self.tokens)
        self.removal = Removal(self.storage, self.resources, clock, collects_garbage=collects_garbage)
        allocation = Allocation(self.storage, plan.services)
        self.verbs = Verbs(self.removal, Admission(self.storage), allocation, clock)
        self.subresources = Subresources(self.verbs, self.tokens, self.resources)
        crds.follow(self.storage, self.resources)
        for name in NAMESPACES:
            status = {"phase": "Active"}
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": status}
            fill(namespace)
            self._put("namespaces", namespace)
        for thing in roles(self.resources):
            self._put(f"{thing['kind'].lower()}s", thing)

    def announce(self, address: str, port: int) -> None:
        """Let pods find the server that listens at an address."""
        plurals = {"Service": "services", "EndpointSlice": "endpointslices", "Endpoints": "endpoints"}
        for thing in objects_about(self.plan, address, port):
            self._put(plurals[thing["kind"]], thing)

    def publish_authority(self, certificate: bytes) -> None:
        """Say whose certificates clients show, and this server as a client of kubelets, where Kubernetes says it."""
        metadata = {"name": "extension-apiserver-authentication", "namespace": "kube-system"}
        data = {"client-ca-file": certificate.decode()}
        self._put("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    def _put(self, plural: str, thing: Object) -> None:
        metadata = thing["metadata"]
        metadata |= {"uid": str(uuid4()), "creationTimestamp": written(self.clock())}
        group = thing["apiVersion"].rpartition("/")[0]
        self.storage.put((group, plural), (metadata.get("namespace", ""), metadata["name"]), thing)
