"""`sevengate run`: wires manifests or an API server, the controller and NGINX together, until a signal.

It is the only place that knows all the edges. It takes RunOptions, follows the manifests or the cluster, says each
diagnostic once when it arises and each reload with its reasons, publishes to the cluster, and answers probes. SIGTERM
or SIGINT drains: NGINX takes no more connections and finishes what is under way; a second signal does not wait. What
becomes of the lines it says, and of the errors it raises, is the command line's business.
"""

import asyncio
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any

import msgspec

from sevengate import files
from sevengate.cluster import source
from sevengate.cluster.access import in_cluster
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ConfigError
from sevengate.cluster.kubeconfig import find_access
from sevengate.cluster.plan import Scope, watches
from sevengate.cluster.publisher import Publisher, PublisherOptions
from sevengate.compiler.compile import Compilation
from sevengate.compiler.statuses import Status
from sevengate.controller import Controller, Generation
from sevengate.diagnostics import Diagnostic, Origin, Where
from sevengate.kube.snapshot import Changes
from sevengate.nginx import ports
from sevengate.nginx.control import ControlError
from sevengate.nginx.dataplane import DataPlane
from sevengate.nginx.installation import NginxError, find_installation
from sevengate.nginx.live import Live, live
from sevengate.nginx.process import AddressTakenError
from sevengate.nginx.supervisor import Listen, Supervisor
from sevengate.settings import Options
from sevengate.web.admission import Admission
from sevengate.web.health import health_pages
from sevengate.web.serving import serving
from sevengate.web.webhook import WebhookOptions, serving_webhook

__all__ = ["ClusterOptions", "ConfigError", "Live", "NginxError", "RunOptions", "live", "serve"]


class ClusterOptions(msgspec.Struct, frozen=True):
    """What is said about the cluster to follow, and what to publish to it.

    The first of these names it: `in_cluster`, a kubeconfig, a host, the environment.
    """

    kubeconfig: str = ""
    apiserver_host: str = ""
    watch_namespace: str = ""
    watch_namespace_selector: str = ""
    in_cluster: bool = False
    publisher: PublisherOptions = PublisherOptions()
    webhook: WebhookOptions | None = None


class RunOptions(msgspec.Struct, frozen=True):
    """What `sevengate run` is told: `manifests`, or a `cluster`.

    `bind_address` "" is every address of the machine, IPv4 and IPv6.
    """

    manifests: tuple[str, ...] = ()
    cluster: ClusterOptions | None = None
    watch: bool = False
    bind_address: str = ""
    http_port: int = 80
    https_port: int = 443
    default_server_port: int = 8181
    healthz_port: int = 10254
    options: Options = Options()


def _to_standard_error(line: str) -> None:
    sys.stderr.write(line + "\n")


async def serve(options: RunOptions, say: Callable[[str], None] = _to_standard_error) -> None:
    """Serve what is asked for until a signal; raise NginxError or ConfigError if that cannot be done at all."""
    installation = find_installation()
    addresses, port = _addresses(options), options.healthz_port
    directory = Path(tempfile.mkdtemp(prefix="sevengate-"))
    supervisor = Supervisor(installation, directory, _listen(options, addresses))
    dataplane = DataPlane(supervisor)
    run = _Run(options, dataplane, supervisor, say)
    try:
        await supervisor.prepare()
        health = serving(health_pages(run.why_not, run.why_not_welcome), addresses, port)
        async with _on_port(health, (addresses[0], port), "healthz"):
            await run.until_signal()
    finally:
        await dataplane.close()
        await supervisor.close()


class _Run:
    """One run: its data plane, its controller, and what has been said so far."""

    def __init__(
        self, options: RunOptions, dataplane: DataPlane, supervisor: Supervisor, say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._dataplane = dataplane
        self._supervisor = supervisor
        self._say = say
        self._controller = Controller(dataplane, options.options, self._tell)
        self._publisher: Publisher | None = None
        self._found: tuple[Diagnostic, ...] = ()
        self._locate: Callable[[Where], Origin | None] = lambda where: where.origin
        self._said: frozenset[Diagnostic] = frozenset()
        self._problem = self._refused = ""
        self._leaving = False

    async def why_not(self) -> str:
        """Give "" if NGINX serves a generation, or why it does not."""
        try:
            state = await self._dataplane.state()
        except ControlError as error:
            return f"nginx does not answer: {error}"
        return "" if state.generation else "nothing was pushed yet"

    async def why_not_welcome(self) -> str:
        """Give "" if new connections may come, or why they should go elsewhere."""
        return "draining" if self._leaving else await self.why_not()

    async def until_signal(self) -> None:
        """Serve until the first signal, then drain, but only until the second."""
        with _signals() as signals:
            await _first_of(self._follow(), self._controller.run(), signals.get())
            self._leaving = True
            self._say("draining: connections under way are finished")
            await _first_of(self._supervisor.drain(), signals.get())

    async def _follow(self) -> None:
        if self._options.cluster is None:
            await self._follow_manifests()
        else:
            await self._follow_cluster(self._options.cluster)

    async def _follow_manifests(self) -> None:
        async for manifests, changes in files.watch(self._options.manifests):
            self._found, self._locate = manifests.diagnostics, manifests.locate
            self._controller.submit(manifests.snapshot, changes)
            if not self._options.watch:
                await asyncio.Event().wait()

    async def _follow_cluster(self, options: ClusterOptions) -> None:
        access = in_cluster() if options.in_cluster else find_access(options.kubeconfig, options.apiserver_host)
        async with Client(access) as client:
            self._publisher = Publisher(client, options.publisher, _instance(options.publisher))
            try:
                scope = _scope(options, self._options.options)
                async with self._admission(options.webhook, client, scope):
                    await _first_of(self._submit_states(client, scope, self._publisher), self._publisher.run())
            finally:
                await self._publisher.close()

    def _admission(
        self, options: WebhookOptions | None, client: Client, scope: Scope
    ) -> AbstractAsyncContextManager[None]:
        """Answer the API server's questions, if that is asked for."""
        if options is None:
            return nullcontext()

        def concerns(namespace: str) -> bool:
            compiled = self._controller.compiled
            return compiled is None or watches(scope, compiled.memory.snapshot, namespace)

        admission = Admission(lambda: self._controller.compiled, concerns)
        addresses = (options.address,) if options.address else _addresses(self._options)
        serving_it = serving_webhook(options, admission, client, addresses)
        return _on_port(serving_it, (addresses[0], options.port), "admission webhook")

    async def _submit_states(self, client: Client, scope: Scope, publisher: Publisher) -> None:
        async with aclosing(source.watch(client, scope)) as states:
            async for snapshot, changes, found in states:
                publisher.look_at(snapshot)
                if found != self._found or _concerns_routes(changes) or self._controller.generation is None:
                    self._found = found
                    self._controller.submit(snapshot, changes)

    def _tell(self, generation: Generation) -> None:
        compilation = generation.compilation
        of_objects = [found for every in compilation.diagnostics.values() for found in every]
        self._tell_diagnostics((*self._found, *of_objects))
        if self._publisher:
            self._publisher.take(_ours(compilation), (*self._found, *of_objects))
        applied = generation.applied
        if applied.problem and applied.problem != self._problem:
            self._say(f"not live, the last good state serves: {applied.problem}")
        if applied.refused and applied.refused != self._refused:
            self._say(f"settings are refused, those before them stay in effect: {applied.refused}")
        self._problem, self._refused = applied.problem, applied.refused
        if applied.reloaded:
            self._say(f"nginx reloaded: {'; '.join(applied.reasons)}")
        if applied.pushed or applied.deleted:
            self._say(
                f"generation {applied.generation} is live: {applied.pushed} documents pushed ({applied.bytes} bytes), "
                f"{applied.deleted} deleted, {applied.seconds * 1000:.0f} ms"
            )

    def _tell_diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        found = dict.fromkeys(diagnostics)
        for diagnostic in found:
            if diagnostic not in self._said:
                self._say(self._line(diagnostic))
        self._said = frozenset(found)

    def _line(self, diagnostic: Diagnostic) -> str:
        origin = self._locate(diagnostic.where)
        line = f"{origin or diagnostic.where}: {diagnostic.severity}: {diagnostic.message} [{diagnostic.code}]"
        return f"{line}\n    {diagnostic.hint}" if diagnostic.hint else line


def _scope(options: ClusterOptions, compiled: Options) -> Scope:
    """Say what has to be read: nodes and pods only where addresses are to be learnt from them."""
    publisher = options.publisher
    given = publisher.publishing.status_address or publisher.publishing.service
    return Scope(
        namespace=options.watch_namespace,
        namespace_selector=options.watch_namespace_selector,
        config_map=compiled.configmap,
        default_certificate=compiled.default_ssl_certificate,
        default_backend=compiled.default_backend_service,
        publish_service=publisher.publishing.service,
        pod=publisher.pod if publisher.update_status else "",
        nodes=publisher.update_status and not given,
    )


def _instance(publisher: PublisherOptions) -> str:
    """Name this very process: a pod that is started again is another candidate, and so is a copy of a machine."""
    return f"{publisher.pod.rpartition('/')[2] or socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def _concerns_routes(changes: Changes) -> bool:
    """Say whether there is something to compile: nodes and pods only say where we are."""
    return bool(msgspec.structs.replace(changes, nodes=frozenset(), pods=frozenset(), namespaces=frozenset()))


def _ours(compilation: Compilation) -> dict[str, bool]:
    """Give the keys of the Ingresses that are ours, and whether anything of each is served."""
    ours = ((f"{ref.namespace}/{ref.name}", status) for ref, status in compilation.statuses.items())
    return {key: status is not Status.REFUSED for key, status in ours}


@contextmanager
def _signals() -> Iterator[asyncio.Queue[None]]:
    """Give a queue that gets an entry for each SIGTERM and SIGINT."""
    came: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, came.put_nowait, None)
    try:
        yield came
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Wait for the first that ends, raise what it raised, and end the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _on_port(
    serving_it: AbstractAsyncContextManager[None], place: tuple[str, int], what: str
) -> AsyncIterator[None]:
    """Serve something; say who has its port if that is taken."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(serving_it)
        except OSError as error:
            owner = ports.listener(*place)
            reason = f"is taken by {owner}" if owner else f"cannot be used: {error.strerror}"
            raise AddressTakenError(f"port {place[1]} ({what}) {reason}") from error
        yield


def _addresses(options: RunOptions) -> tuple[str, ...]:
    return (options.bind_address,) if options.bind_address else _everywhere()


def _listen(options: RunOptions, addresses: tuple[str, ...]) -> Listen:
    return Listen(
        addresses=tuple(f"[{address}]" if ":" in address else address for address in addresses),
        http_port=options.http_port,
        https_port=options.https_port,
        default_port=options.default_server_port,
    )


def _everywhere() -> tuple[str, ...]:
    """Give the addresses that stand for all of this machine's; the kernel may know no IPv6."""
    return ("0.0.0.0", "::") if _has_ipv6() else ("0.0.0.0",)  # noqa: S104 - an ingress is for the world


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
