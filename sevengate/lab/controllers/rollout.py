"""How many pods of the old and of the new template there ought to be now: the arithmetic of a Deployment's roll-out.

Takes a Deployment and its ReplicaSets; gives numbers. Pure. Source: Kubernetes, "Deployments" (max surge, max
unavailable, proportional scaling).
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import Final

from sevengate.lab.mirror import Object, key_of

DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MOST: Final = "deployment.kubernetes.io/max-replicas"


def share(value: int | str, total: int, *, up: bool) -> int:
    """Give a number of pods that is said as a number or as a percentage of all."""
    if isinstance(value, int):
        return value
    portion = int(value.rstrip("%")) * total / 100
    return ceil(portion) if up else floor(portion)


def limits(surge: int | str, unavailable: int | str, total: int) -> tuple[int, int]:
    """Give how many pods there may be too many, and how many too few; both at nought would stop every roll-out."""
    too_many, too_few = share(surge, total, up=True), share(unavailable, total, up=False)
    return (too_many, too_few) if too_many or too_few else (0, 1)


def allowed(deployment: Object) -> tuple[int, int]:
    """Give how many pods of a Deployment there may be too many, and how many too few."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] != "RollingUpdate":
        return 0, 0
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge, unavailable = limits(rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), spec["replicas"])
    return surge, min(unavailable, spec["replicas"])


def wished(sets: Sequence[Object]) -> int:
    """Count the pods that ReplicaSets are to have."""
    return sum(one["spec"]["replicas"] for one in sets)


def counted(sets: Sequence[Object], field: str) -> int:
    """Add up one number of the status of ReplicaSets."""
    return sum((one.get("status") or {}).get(field, 0) for one in sets)


def size_of_new(deployment: Object, new: Object | None, sets: Sequence[Object]) -> int:
    """Say how many pods the new ReplicaSet, which may not be there yet, is to have now; `sets` are all there are."""
    replicas: int = deployment["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] != "RollingUpdate":
        return replicas
    held = new["spec"]["replicas"] if new else 0
    if held >= replicas:
        return replicas
    surge, _ = allowed(deployment)
    room = replicas + surge - wished(sets)
    return int(held + min(max(room, 0), replicas - held))


def sizes_of_old(deployment: Object, new: Object, old: Sequence[Object]) -> Iterator[tuple[Object, int]]:
    """Give those old ReplicaSets that may lose pods now, with the number that each is to keep."""
    _, unavailable = allowed(deployment)
    least = deployment["spec"]["replicas"] - unavailable
    new_missing = max(new["spec"]["replicas"] - counted([new], "availableReplicas"), 0)
    budget = wished([*old, new]) - least - new_missing
    if budget <= 0:
        return
    sizes = {key_of(one): one["spec"]["replicas"] for one in old}
    oldest_first = sorted(old, key=_age)
    # Pods that serve nobody go first: taking them away costs nothing.
    for one in oldest_first:
        broken = one["spec"]["replicas"] - counted([one], "availableReplicas")
        taken = min(max(broken, 0), budget)
        sizes[key_of(one)] -= taken
        budget -= taken
    spare = min(budget, counted([*old, new], "availableReplicas") - least)
    for one in oldest_first:
        taken = min(sizes[key_of(one)], max(spare, 0))
        sizes[key_of(one)] -= taken
        spare -= taken
    yield from ((one, sizes[key_of(one)]) for one in oldest_first if sizes[key_of(one)] != one["spec"]["replicas"])


def proportional(deployment: Object, sets: Sequence[Object]) -> Iterator[tuple[Object, int]]:
    """Spread a new number of replicas over the ReplicaSets of a roll-out that is not over, by their sizes."""
    surge, _ = allowed(deployment)
    most = deployment["spec"]["replicas"] + surge if deployment["spec"]["replicas"] else 0
    to_add = most - wished(sets)
    largest_first = sorted(sets, key=lambda one: (-one["spec"]["replicas"], _age(one)))
    sizes = {}
    left = to_add
    for one in largest_first:
        before = int((one["metadata"].get("annotations") or {}).get(MOST) or wished(sets) or 1)
        part = round(one["spec"]["replicas"] * most / before) - one["spec"]["replicas"] if to_add else 0
        part = min(part, left) if to_add > 0 else max(part, left)
        sizes[key_of(one)] = one["spec"]["replicas"] + part
        left -= part
    for number, one in enumerate(largest_first):
        # What rounding leaves goes to the largest.
        size = max(sizes[key_of(one)] + (left if number == 0 else 0), 0)
        yield one, size


def _age(thing: Object) -> tuple[str, str]:
    return thing["metadata"]["creationTimestamp"], thing["metadata"]["name"]
