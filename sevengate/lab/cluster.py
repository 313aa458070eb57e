"""All that makes a cluster of an API server: the controllers, side by side, on one shared set of Mirrors.

Takes the Access to any API server and a Plan; runs until its context is left. A foreign cluster may run some of these
controllers already: those are named in `without`, so that no two do one job.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

from sevengate.lab.controllers.budgets import Budgets
from sevengate.lab.controllers.controller import Controller, Part
from sevengate.lab.controllers.daemon_sets import DaemonSets
from sevengate.lab.controllers.deployments import Deployments
from sevengate.lab.controllers.endpoint_mirroring import EndpointMirroring
from sevengate.lab.controllers.endpoint_slices import EndpointSlices
from sevengate.lab.controllers.evictions import Evictions
from sevengate.lab.controllers.garbage import Garbage
from sevengate.lab.controllers.jobs import Jobs
from sevengate.lab.controllers.load_balancers import LoadBalancers
from sevengate.lab.controllers.namespaces import Namespaces
from sevengate.lab.controllers.node_life import NodeLife
from sevengate.lab.controllers.replica_sets import ReplicaSets
from sevengate.lab.controllers.scheduler import Scheduler
from sevengate.lab.controllers.stateful_sets import StatefulSets
from sevengate.lab.workplace import Workplace

CONTROLLERS: Final[dict[str, Callable[[Workplace], Controller]]] = {
    "budgets": Budgets,
    "daemonsets": DaemonSets,
    "deployments": Deployments,
    "endpointmirroring": EndpointMirroring,
    "endpointslices": EndpointSlices,
    "evictions": Evictions,
    "garbage": Garbage,
    "jobs": Jobs,
    "loadbalancers": LoadBalancers,
    "namespaces": Namespaces,
    "nodes": NodeLife,
    "replicasets": ReplicaSets,
    "scheduler": Scheduler,
    "statefulsets": StatefulSets,
}


@asynccontextmanager
async def controlling(work: Workplace, without: Collection[str] = ()) -> AsyncIterator[None]:
    """Run all controllers but those named; raise KeyError for a name that there is not."""
    if unknown := set(without) - CONTROLLERS.keys():
        raise KeyError(", ".join(sorted(unknown)))
    made = [make(work) for name, make in CONTROLLERS.items() if name not in without]
    parts = [part for one in made for part in one.parts]
    tasks = [asyncio.create_task(_run(work, part)) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(work: Workplace, part: Part) -> None:
    # Who acts before everything was heard of makes things anew that are there already.
    await work.mirrors.synced()
    await part.run()
