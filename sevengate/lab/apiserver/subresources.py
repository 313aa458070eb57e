"""The subresources that do something of their own: a service account's tokens, a pod's node, a pod's eviction.

Takes a Call and the object that was posted; gives what to answer. `status` and `scale` are ways to write the object
itself and belong to `verbs`. Source: Kubernetes' API reference (TokenRequest, Binding, Eviction).
"""

from datetime import timedelta
from typing import Final

import msgspec

from sevengate.lab.apiserver.answers import ApiError, Object, bad_request, conflict, method_not_allowed, success
from sevengate.lab.apiserver.calls import Call
from sevengate.lab.apiserver.clock import system_clock, written
from sevengate.lab.apiserver.identity import AUDIENCE, Tokens
from sevengate.lab.apiserver.removal import read_deletion
from sevengate.lab.apiserver.resources import Resources
from sevengate.lab.apiserver.schemas import built_in
from sevengate.lab.apiserver.selectors import of_label_selector
from sevengate.lab.apiserver.validation import typed
from sevengate.lab.apiserver.verbs import Verbs

#: How long a token lasts, in seconds.
_SHORTEST: Final = 600
_USUAL: Final = 3600


class Subresources:
    """Carries out what is posted to a subresource."""

    def __init__(self, verbs: Verbs, tokens: Tokens, resources: Resources) -> None:
        self._verbs = verbs
        self._tokens = tokens
        self._resources = resources

    async def create(self, call: Call, body: Object) -> Object:
        """Do what a POST to a subresource asks for; raise ApiError 405 if it takes none."""
        match call.subresource:
            case "token":
                return self._token(call, _message(body, "authentication.k8s.io", "TokenRequest"))
            case "binding":
                return await self._bind(call, _message(body, "", "Binding"))
            case "eviction":
                return await self._evict(call, _message(body, "policy", "Eviction"))
            case _:
                raise method_not_allowed()

    def _token(self, call: Call, body: Object) -> Object:
        spec = body.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _USUAL
        if seconds < _SHORTEST:
            raise bad_request(f"spec.expirationSeconds: may not specify a duration less than {_SHORTEST} seconds")
        account = self._verbs.get(call).object
        audiences = tuple(spec.get("audiences") or (AUDIENCE,))
        token, ends = self._tokens.issue(account, audiences, timedelta(seconds=seconds))
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": call.name, "namespace": call.namespace},
            "spec": {"audiences": list(audiences), "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": written(ends)},
        }

    async def _bind(self, call: Call, body: Object) -> Object:
        node = (body.get("target") or {}).get("name")
        if not node:
            raise bad_request("target.name is required")

        def bound(pod: Object) -> Object:
            if taken := pod["spec"].get("nodeName"):
                raise conflict("pods/binding", call.name, f"pod {call.name} is already assigned to node {taken!r}")
            scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": written(system_clock())}
            others = [one for one in pod["status"].get("conditions") or () if one["type"] != "PodScheduled"]
            status = {**pod["status"], "conditions": [*others, scheduled]}
            return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}

        await self._verbs.patch(call, bound)
        return success("pods", "", call.name, "") | {"code": 201}

    async def _evict(self, call: Call, body: Object) -> Object:
        pod = self._verbs.get(call).object
        if (pod["status"].get("phase") or "Pending") == "Running" and not call.is_dry_run:
            await self._charge(call, pod)
        await self._verbs.delete(call, read_deletion(body.get("deleteOptions") or {}, call.query))
        return success("pods", "", call.name, "") | {"code": 201}

    async def _charge(self, call: Call, pod: Object) -> None:
        """Take a pod from the budget of its group; raise ApiError 429 if nothing is left of that."""
        resource = self._resources.get("policy", "v1", "poddisruptionbudgets")
        if resource is None:
            return
        budgets = msgspec.structs.replace(call, resource=resource, name="", subresource="status", query={})
        held = [one.object for one in self._verbs.page(budgets).items if _guards(one.object, pod)]
        if len(held) > 1:
            message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise ApiError(500, "InternalError", message)

        def charged(budget: Object) -> Object:
            status = budget.get("status") or {}
            left = status.get("disruptionsAllowed", 0)
            if left <= 0:
                raise _exhausted(budget)
            gone = {**(status.get("disruptedPods") or {}), call.name: written(system_clock())}
            return {**budget, "status": {**status, "disruptionsAllowed": left - 1, "disruptedPods": gone}}

        for budget in held:
            one = msgspec.structs.replace(budgets, name=budget["metadata"]["name"])
            await self._verbs.patch(one, charged)


def _guards(budget: Object, pod: Object) -> bool:
    selector = budget["spec"].get("selector")
    return bool(selector) and of_label_selector(selector).matches(pod)


def _exhausted(budget: Object) -> ApiError:
    status, name = budget.get("status") or {}, budget["metadata"]["name"]
    needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    why = f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
    details = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return ApiError(429, "TooManyRequests", message, details)


def _message(body: Object, group: str, kind: str) -> Object:
    return typed(body, built_in(group, "v1", kind), kind)
