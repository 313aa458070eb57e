"""What is in every namespace: the ServiceAccount `default`, and the certificate by which pods trust the API server.

They are made when a namespace is, and again when somebody deletes them. What a namespace holds goes with it in the API
server of the lab; a foreign one that leaves this to its controllers is not cleaned up by us. Source: Kubernetes,
"Service Accounts", "Root CA Certificate Publisher".
"""

from typing import Final

from sevengate.cluster.resources import CONFIG_MAPS, NAMESPACES, Selection
from sevengate.lab.controllers.controller import Part, is_going
from sevengate.lab.mirror import Change
from sevengate.lab.reconciler import Reconciler
from sevengate.lab.resources import SERVICE_ACCOUNTS
from sevengate.lab.workplace import Workplace

_ACCOUNT: Final = "default"
_ROOT: Final = "kube-root-ca.crt"
_ABOUT: Final = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints."


class Namespaces:
    """Furnishes namespaces."""

    def __init__(self, work: Workplace) -> None:
        self._writer = work.writer
        self._authority = work.client.authority
        self._namespaces = work.mirrors.of(NAMESPACES)
        self._accounts = work.mirrors.of(SERVICE_ACCOUNTS)
        self._roots = work.mirrors.of(Selection(CONFIG_MAPS, field_selector=f"metadata.name={_ROOT}"))
        self._reconciler = Reconciler("namespace", self._look)
        self._namespaces.subscribe(lambda change: self._reconciler.ask(change.key))
        self._accounts.subscribe(self._changed)
        self._roots.subscribe(self._changed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What has to run."""
        return (self._reconciler,)

    def _changed(self, change: Change) -> None:
        self._reconciler.ask(change.key.partition("/")[0])

    async def _look(self, name: str) -> None:
        namespace = self._namespaces.objects.get(name)
        if namespace is None or is_going(namespace):
            return
        if f"{name}/{_ACCOUNT}" not in self._accounts.objects:
            await self._writer.create(SERVICE_ACCOUNTS, {"metadata": {"name": _ACCOUNT, "namespace": name}})
        wanted = {"ca.crt": self._authority}
        held = self._roots.objects.get(f"{name}/{_ROOT}")
        if held is None:
            metadata = {"name": _ROOT, "namespace": name, "annotations": {"kubernetes.io/description": _ABOUT}}
            await self._writer.create(CONFIG_MAPS, {"metadata": metadata, "data": wanted})
        elif held.get("data") != wanted:
            await self._writer.merge(CONFIG_MAPS, held, {"data": wanted})
