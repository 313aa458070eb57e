"""Where a DaemonSet has its pods, where it should have some, and which of them a roll-out replaces now.

Takes a DaemonSet, nodes and its pods; gives Posts, one for each node that has to do with it, and what to delete and
where to create. Pure, but for the clock. Source: Kubernetes, "DaemonSet" (taints and tolerations, how pods are
scheduled).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sevengate.lab.controllers.controller import is_going
from sevengate.lab.controllers.fit import is_wanted, untolerated, why_never
from sevengate.lab.controllers.pods import is_active, is_available
from sevengate.lab.controllers.replicas import pod_of
from sevengate.lab.controllers.revisions import HASH, hash_of
from sevengate.lab.controllers.rollout import limits
from sevengate.lab.mirror import Object

#: Taints that keep no daemon away.
_TOLERATED: Final = {
    "node.kubernetes.io/not-ready": "NoExecute",
    "node.kubernetes.io/unreachable": "NoExecute",
    "node.kubernetes.io/disk-pressure": "NoSchedule",
    "node.kubernetes.io/memory-pressure": "NoSchedule",
    "node.kubernetes.io/pid-pressure": "NoSchedule",
    "node.kubernetes.io/unschedulable": "NoSchedule",
}


class Post:
    """A node, whether a DaemonSet wants a pod there or lets one stay, and the pods that it has there."""

    def __init__(self, node: str, *, is_wanted: bool, may_stay: bool) -> None:
        self.node = node
        self.is_wanted = is_wanted
        self.may_stay = may_stay
        self.pods: list[Object] = []

    def unwanted(self) -> list[Object]:
        """Give the pods that have to go, whatever the template: all, or all but the oldest of each template."""
        active = [pod for pod in self.pods if is_active(pod)]
        if not self.may_stay:
            return active
        kept: dict[str, Object] = {}
        for pod in sorted(active, key=_age):
            kept.setdefault(hash_of(pod), pod)
        return [pod for pod in active if kept[hash_of(pod)] is not pod]

    def of(self, present: str, *, is_new: bool) -> Object | None:
        """Give the active pod of the present template, or one of an older one."""
        found = [pod for pod in self.pods if is_active(pod) and (hash_of(pod) == present) is is_new]
        return min(found, key=_age, default=None)

    def current(self) -> Object | None:
        """Give the pod that counts: the oldest that is not on its way out."""
        return min((pod for pod in self.pods if not is_going(pod)), key=_age, default=None)


def posts_of(daemon_set: Object, nodes: Iterable[Object], pods: Iterable[Object]) -> list[Post]:
    """Give a Post for each node, in the order of names."""
    posts = {node["metadata"]["name"]: _post(daemon_set, node) for node in nodes}
    for pod in pods:
        home = home_of(pod)
        # A node that is gone takes no pod and keeps none.
        posts.setdefault(home, Post(home, is_wanted=False, may_stay=False)).pods.append(pod)
    return [posts[name] for name in sorted(posts)]


def _post(daemon_set: Object, node: Object) -> Post:
    name = node["metadata"]["name"]
    pod = daemon_of(daemon_set, name, "")
    wanted = not is_going(node) and not why_never(pod, node)
    may_stay = is_wanted(pod, node) and untolerated(pod, node, ("NoExecute",)) is None
    return Post(name, is_wanted=wanted, may_stay=may_stay)


def daemon_of(daemon_set: Object, node: str, present: str) -> Object:
    """Make the pod of a DaemonSet for a node."""
    template = daemon_set["spec"]["template"]
    spec = {**template["spec"], "tolerations": [*(template["spec"].get("tolerations") or ()), *_tolerations(template)]}
    spec["affinity"] = _only(node, template["spec"].get("affinity") or {})
    return pod_of(daemon_set, {**template, "spec": spec}, {HASH: present})


def home_of(pod: Object) -> str:
    """Give the node on which a daemon is, or for which it was made."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    required = _required((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {})
    named = (rule for term in required for rule in term.get("matchFields") or () if rule["key"] == "metadata.name")
    return next((str(rule["values"][0]) for rule in named), "")


def _required(affinity: Object) -> Sequence[Object]:
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return required.get("nodeSelectorTerms") or ()


def _only(node: str, affinity: Object) -> Object:
    """Give an affinity that names one node besides what it demands already."""
    named = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    held = affinity.get("nodeAffinity") or {}
    terms = [{**term, "matchFields": named} for term in _required(held)] or [{"matchFields": named}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {**affinity, "nodeAffinity": {**held, **required}}


def _tolerations(template: Object) -> Iterator[Object]:
    tolerated = dict(_TOLERATED)
    if template["spec"].get("hostNetwork"):
        tolerated["node.kubernetes.io/network-unavailable"] = "NoSchedule"
    for key, effect in tolerated.items():
        yield {"key": key, "operator": "Exists", "effect": effect}


def replacements(daemon_set: Object, posts: Sequence[Post], present: str) -> tuple[list[Object], list[str]]:
    """Give the old pods that a roll-out deletes now, and the nodes on which it adds a new pod beside an old one."""
    wanted = [post for post in posts if post.is_wanted]
    rolling = daemon_set["spec"]["updateStrategy"].get("rollingUpdate") or {}
    surge, unavailable = limits(rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 1), len(wanted))
    min_ready = daemon_set["spec"].get("minReadySeconds", 0)
    return (
        _surging(wanted, present, min_ready, surge) if surge else _giving_way(wanted, present, min_ready, unavailable)
    )


def _giving_way(posts: Sequence[Post], present: str, min_ready: int, most: int) -> tuple[list[Object], list[str]]:
    """Let old pods go first, no more than may be missing; those that serve nobody at once."""
    useless, serving, missing = list[Object](), list[Object](), 0
    for post in posts:
        new, old = post.of(present, is_new=True), post.of(present, is_new=False)
        if old is not None and new is None:
            (serving if is_available(old, min_ready) else useless).append(old)
            missing += not is_available(old, min_ready)
            continue
        useless += [old] if old is not None else []
        missing += new is None or not is_available(new, min_ready)
    return [*useless, *serving[: max(most - missing, 0)]], []


def _surging(posts: Sequence[Post], present: str, min_ready: int, most: int) -> tuple[list[Object], list[str]]:
    """Let new pods come first, no more than there may be too many; an old one goes when the new one serves."""
    done, waiting, surplus = list[Object](), list[str](), 0
    for post in posts:
        new, old = post.of(present, is_new=True), post.of(present, is_new=False)
        if old is None:
            continue
        if new is None:
            waiting.append(post.node)
        elif is_available(new, min_ready):
            done.append(old)
        else:
            surplus += 1
    return done, waiting[: max(most - surplus, 0)]


def _age(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]
