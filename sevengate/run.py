"""`sevengate run` and `sevengate controller`: wires manifests or an API server, the controller and NGINX together.

It is the only place that knows all the edges. It takes RunOptions or ControllerOptions, follows the manifests or the
cluster, says each diagnostic once when it arises and each reload with its reasons, publishes to the cluster, and
answers probes, until a signal. NGINX is either here with its supervisor, or in the process of supervise.py, which also
knows how its duty ends. What becomes of the lines that are said, and of the errors, is the command line's business.
"""

import asyncio
import socket
import tempfile
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from sevengate import files
from sevengate.cluster import source
from sevengate.cluster.access import Access, in_cluster
from sevengate.cluster.client import Client
from sevengate.cluster.errors import ConfigError
from sevengate.cluster.kubeconfig import find_access
from sevengate.cluster.plan import Scope, watches
from sevengate.cluster.publisher import Publisher, PublisherOptions
from sevengate.compiler.compile import Compilation
from sevengate.compiler.statuses import Status
from sevengate.controller import Controller, Generation
from sevengate.diagnostics import Diagnostic, ObjectRef, Origin, Where
from sevengate.kube.snapshot import Changes
from sevengate.lifecycle import Ending, ending, first_of
from sevengate.metrics import CONTROLLER
from sevengate.nginx.dataplane import DataPlane
from sevengate.nginx.installation import NginxError, find_installation
from sevengate.nginx.listening import Listen, addresses_of
from sevengate.nginx.live import Live, live
from sevengate.nginx.resolve import Resolver
from sevengate.nginx.supervision import RemoteSupervisor
from sevengate.nginx.supervisor import Supervisor
from sevengate.settings import Options
from sevengate.supervise import DIRECTORY, Duty, Grace, why_not_filled
from sevengate.web.admission import Admission, Reviews
from sevengate.web.health import health_pages
from sevengate.web.metrics import Progress, metrics_page
from sevengate.web.serving import serving
from sevengate.web.webhook import WebhookOptions, serving_webhook

__all__ = [
    "ClusterOptions",
    "ConfigError",
    "ControllerOptions",
    "Live",
    "NginxError",
    "RunOptions",
    "control",
    "live",
    "serve",
]


class ClusterOptions(msgspec.Struct, frozen=True):
    """What is said about the cluster to follow, and what to publish to it.

    The first of these names it: `in_cluster`, a kubeconfig, a host, the environment.
    """

    kubeconfig: str = ""
    apiserver_host: str = ""
    certificate_authority: str = ""
    watch_namespace: str = ""
    watch_namespace_selector: str = ""
    in_cluster: bool = False
    publisher: PublisherOptions = PublisherOptions()
    webhook: WebhookOptions | None = None


class GateOptions(msgspec.Struct, frozen=True):
    """What a gate serves, `manifests` or a `cluster`, and how it ends.

    `bind_address` "" is every address of the machine, IPv4 and IPv6.
    """

    manifests: tuple[str, ...] = ()
    cluster: ClusterOptions | None = None
    watch: bool = False
    bind_address: str = ""
    healthz_port: int = 10254
    healthz_host: str = ""
    health_check_path: str = "/healthz"
    options: Options = Options()
    grace: Grace = Grace()


class RunOptions(GateOptions, frozen=True):
    """What `sevengate run` is told: besides, where its NGINX listens."""

    listen: Listen = Listen()


class ControllerOptions(GateOptions, frozen=True):
    """What `sevengate controller` is told: besides, where it meets its data plane."""

    dataplane_directory: Path = DIRECTORY


async def serve(options: RunOptions, say: Callable[[str], None]) -> None:
    """Serve what is asked for until a signal; raise NginxError or ConfigError if that cannot be done at all."""
    installation = find_installation()
    directory = Path(tempfile.mkdtemp(prefix="sevengate-"))
    supervisor = Supervisor(installation, directory, options.listen.at(options.bind_address))
    dataplane = DataPlane(supervisor, resolver=Resolver(own=options.bind_address))
    with ending() as end:
        duty = Duty(supervisor, end, options.grace, say)
        run = _Run(options, dataplane, say)
        pages = health_pages(duty.why_not_ready, duty.why_not_welcome, options.health_check_path)
        try:
            await supervisor.prepare()
            addresses = addresses_of(options.healthz_host or options.bind_address)
            async with serving({**pages, "/metrics": run.metrics}, addresses, options.healthz_port):
                await run.until(duty.over())
                await duty.leave()
        finally:
            await dataplane.close()
            await supervisor.close()


async def control(options: ControllerOptions, say: Callable[[str], None]) -> None:
    """Drive a data plane in another process until a signal; raise ConfigError if that cannot be done at all.

    What it serves stays when we go. It is fed for the whole grace period, for it serves as long.
    """
    supervisor = RemoteSupervisor(options.dataplane_directory)
    dataplane = DataPlane(supervisor, resolver=Resolver(own=options.bind_address), patient=True)
    run = _Run(options, dataplane, say)

    async def over(end: Ending) -> None:
        await end.asked()
        await end.pause(options.grace.shutdown)

    with ending() as end:
        try:
            pages = health_pages(run.why_not_ready, path=options.health_check_path)
            addresses = addresses_of(options.healthz_host or options.bind_address)
            async with serving({**pages, "/metrics": run.metrics}, addresses, options.healthz_port):
                await run.until(over(end))
        finally:
            await dataplane.close()
            await supervisor.close()


class _Run:
    """One run: its data plane, its controller, and what has been said so far."""

    def __init__(self, options: GateOptions, dataplane: DataPlane, say: Callable[[str], None]) -> None:
        self._options = options
        self._dataplane = dataplane
        self._say = say
        self._controller = Controller(dataplane, options.options, self._tell)
        self._publisher: Publisher | None = None
        self._found: tuple[Diagnostic, ...] = ()
        self._locate: Callable[[Where], Origin | None] = lambda where: where.origin
        self._complaints: tuple[Diagnostic, ...] = ()
        self._said: frozenset[Diagnostic] = frozenset()
        self._statuses: tuple[Mapping[ObjectRef, Status], dict[str, bool]] = {}, {}
        self._problem = self._refused = ""
        self._progress = Progress(options.options.controller_class, _election(options.cluster), self._leads)
        self._reviews = Reviews()
        self.metrics = metrics_page((self._progress, self._reviews), dataplane.instruments, _controller(options))
        self._is_first = True

    async def why_not_ready(self) -> str:
        """Give "" if what we read is served, or why it is not."""
        if self._controller.generation is None:
            return "nothing was compiled yet"
        return await why_not_filled(self._dataplane.state)

    async def until(self, over: Coroutine[Any, Any, None]) -> None:
        """Follow what is asked for, and make it live, until it is over."""
        await first_of(self._follow(), self._controller.run(), over)

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
        access = in_cluster() if options.in_cluster else _find_access(options)
        async with Client(access) as client:
            self._publisher = Publisher(client, options.publisher, _instance(options.publisher))
            try:
                scope = _scope(options, self._options.options)
                async with self._admission(options.webhook, client, scope):
                    await first_of(self._submit_states(client, scope, self._publisher), self._publisher.run())
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

        admission = Admission(lambda: self._controller.compiled, concerns, self._reviews)
        addresses = addresses_of(options.address or self._options.bind_address)
        return serving_webhook(options, admission, client, addresses)

    async def _submit_states(self, client: Client, scope: Scope, publisher: Publisher) -> None:
        async with aclosing(source.watch(client, scope)) as states:
            async for snapshot, changes, found, since in states:
                publisher.look_at(snapshot)
                if found != self._found or _concerns_routes(changes) or self._controller.generation is None:
                    self._found = found
                    self._controller.submit(snapshot, changes, since)

    def _leads(self) -> bool:
        return self._publisher is not None and self._publisher.is_leader

    def _tell(self, generation: Generation) -> None:
        compilation = generation.compilation
        complaints = (*self._found, *(found for every in compilation.diagnostics.values() for found in every))
        if complaints != self._complaints:
            self._complaints = complaints
            self._tell_diagnostics(complaints)
        self._progress.take(generation, complaints)
        if self._publisher:
            self._publisher.take(self._ours(compilation), complaints)
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
        elif self._is_first and not applied.problem:
            self._say(f"generation {applied.generation} is live already, as a controller before us left it")
        self._is_first = self._is_first and bool(applied.problem)

    def _ours(self, compilation: Compilation) -> dict[str, bool]:
        """Give the keys of the Ingresses that are ours, and whether anything of each is served."""
        statuses, ours = self._statuses
        # One changed Ingress seldom changes what becomes of any: then it is the same mapping, and so is ours.
        if compilation.statuses is not statuses:
            pairs = ((f"{ref.namespace}/{ref.name}", status) for ref, status in compilation.statuses.items())
            ours = {key: status is not Status.REFUSED for key, status in pairs}
            self._statuses = compilation.statuses, ours
        return ours

    def _tell_diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        found = dict.fromkeys(diagnostics)
        for diagnostic in found:
            if diagnostic not in self._said:
                self._say(self._line(diagnostic))
        self._said = frozenset(found)

    def _line(self, diagnostic: Diagnostic) -> str:
        place = str(self._locate(diagnostic.where) or diagnostic.where)
        line = f"{diagnostic.severity}: {diagnostic.message} [{diagnostic.code}]"
        line = f"{place}: {line}" if place else line
        return f"{line}\n    {diagnostic.hint}" if diagnostic.hint else line


def _find_access(options: ClusterOptions) -> Access:
    return find_access(options.kubeconfig, options.apiserver_host, authority=options.certificate_authority)


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


def _election(cluster: ClusterOptions | None) -> str:
    return cluster.publisher.election_id if cluster else ""


def _controller(options: GateOptions) -> dict[str, str]:
    """Say in labels which controller this is."""
    namespace, _, pod = options.cluster.publisher.pod.partition("/") if options.cluster else ("", "", "")
    names = (options.options.controller_class, namespace, pod)
    return dict(zip(CONTROLLER, names, strict=True))


def _concerns_routes(changes: Changes) -> bool:
    """Say whether there is something to compile: nodes and pods only say where we are."""
    return bool(msgspec.structs.replace(changes, nodes=frozenset(), pods=frozenset(), namespaces=frozenset()))
