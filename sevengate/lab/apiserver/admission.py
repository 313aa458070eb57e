"""Validating admission webhooks: what others have to say about a write before it is stored.

Takes a Call and the objects before and after; asks each webhook whose rules and selectors match, and raises ApiError
when one denies, or cannot be asked and is to fail closed. A webhook is found by its URL or through its Service: the
first ready endpoint that EndpointSlices know, since the lab's own server stands outside the pods' network like a real
one. Source: Kubernetes, "Dynamic Admission Control". Mutating webhooks are not called.
"""

import asyncio
import base64
import ssl
from typing import Any, Final
from uuid import uuid4

import aiohttp
import msgspec

from sevengate.lab.apiserver.answers import ApiError, Object
from sevengate.lab.apiserver.calls import Call
from sevengate.lab.apiserver.resources import Resource
from sevengate.lab.apiserver.selectors import of_label_selector
from sevengate.lab.apiserver.storage import Shelf, Storage

_GROUP: Final = "admissionregistration.k8s.io"
_CONFIGURATIONS: Final[Shelf] = (_GROUP, "validatingwebhookconfigurations")
_NAMESPACES: Final[Shelf] = ("", "namespaces")
_SLICES: Final[Shelf] = ("discovery.k8s.io", "endpointslices")
_SERVICES: Final[Shelf] = ("", "services")


class Unreachable(Exception):  # noqa: N818 - a finding, whose meaning the failurePolicy decides
    """A webhook cannot be asked, or its answer is none."""


class Admission:
    """Asks the webhooks that are registered in a Storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def ask(self, call: Call, operation: str, new: Object | None, old: Object | None) -> None:
        """Ask all webhooks that a write concerns; raise ApiError if it is not to be."""
        found = ((one, self._asked_as(one, call, operation, new or old or {})) for one in self._webhooks())
        asked = [(one, _review(call, as_type, operation, (new, old))) for one, as_type in found if as_type]
        if asked:
            await asyncio.gather(*(self._ask_one(one, call, review) for one, review in asked))

    def _webhooks(self) -> list[Object]:
        return [hook for stored in self._storage.items(_CONFIGURATIONS) for hook in stored.object.get("webhooks") or ()]

    def _asked_as(self, webhook: Object, call: Call, operation: str, thing: Object) -> Resource | None:
        """Give the type under which a webhook is asked about a write, None if that is no concern of it."""
        # A webhook that could veto its own configuration could never be removed.
        if call.resource.group == _GROUP:
            return None
        namespace = self._storage.get(_NAMESPACES, ("", call.namespace))
        if namespace and not of_label_selector(webhook["namespaceSelector"]).matches(namespace.object):
            return None
        if not of_label_selector(webhook["objectSelector"]).matches(thing):
            return None
        types = [call.resource]
        if webhook["matchPolicy"] == "Equivalent" and call.resource.conversion:
            # What is written in an old version is asked about in the one that is stored, which rules name.
            types.append(_as_stored(call.resource, thing))
        return next((one for one in types if _matches(webhook, one, call.subresource, operation)), None)

    async def _ask_one(self, webhook: Object, call: Call, review: Object) -> None:
        try:
            answer = await self._sent(webhook, review)
        except (Unreachable, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if webhook["failurePolicy"] == "Ignore":
                return
            why = f'failed calling webhook "{webhook["name"]}": {str(error) or type(error).__name__}'
            raise ApiError(500, "InternalError", f"Internal error occurred: {why}") from error
        call.warnings.extend(answer.get("warnings") or ())
        if not answer.get("allowed"):
            status = answer.get("status") or {}
            why = status.get("message") or "no reason given"
            message = f'admission webhook "{webhook["name"]}" denied the request: {why}'
            raise ApiError(int(status.get("code") or 403), status.get("reason") or "Forbidden", message)

    async def _sent(self, webhook: Object, review: Object) -> Object:
        url, name, trust = self._reached(webhook["clientConfig"])
        timeout = aiohttp.ClientTimeout(total=webhook["timeoutSeconds"])
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=trust)) as session,
            session.post(url, data=msgspec.json.encode(review), headers=headers, server_hostname=name) as response,
        ):
            body = await response.read()
            if response.status != 200:
                raise Unreachable(f"it answered {response.status}")
        answer = msgspec.json.decode(body, type=dict[str, Any]).get("response")
        if not isinstance(answer, dict) or answer.get("uid") != review["request"]["uid"]:
            raise Unreachable("it did not answer this review")
        return answer

    def _reached(self, client: Object) -> tuple[str, str | None, ssl.SSLContext]:
        """Give a webhook's URL, the name that its certificate must have, and whom to trust about it."""
        bundle = client.get("caBundle")
        trust = ssl.create_default_context(cadata=base64.b64decode(bundle).decode() if bundle else None)
        if url := client.get("url"):
            return str(url), None, trust
        service = client["service"]
        place = self._endpoint(service["namespace"], service["name"], service.get("port", 443))
        name = f"{service['name']}.{service['namespace']}.svc"
        return f"https://{place}{service.get('path') or '/'}", name, trust

    def _endpoint(self, namespace: str, name: str, number: int) -> str:
        service = self._storage.get(_SERVICES, (namespace, name))
        ports = service.object["spec"].get("ports") or () if service else ()
        wanted = next((port.get("name", "") for port in ports if port["port"] == number), None)
        for stored in self._storage.items(_SLICES, namespace):
            one = stored.object
            if (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
                continue
            port = next((port["port"] for port in one.get("ports") or () if port.get("name", "") == wanted), None)
            for endpoint in one.get("endpoints") or ():
                if port and (endpoint.get("conditions") or {}).get("ready", True):
                    address = endpoint["addresses"][0]
                    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        raise Unreachable(f'no endpoints available for service "{name}"')


def _as_stored(resource: Resource, thing: Object) -> Resource:
    group, _, version = resource.stored(thing)["apiVersion"].rpartition("/")
    return msgspec.structs.replace(resource, group=group, version=version)


def _matches(webhook: Object, resource: Resource, subresource: str, operation: str) -> bool:
    return any(
        _listed(rule["operations"], operation)
        and _listed(rule["apiGroups"], resource.group)
        and _listed(rule["apiVersions"], resource.version)
        and _resource_listed(rule["resources"], resource, subresource)
        and rule["scope"] in {"*", "Namespaced" if resource.namespaced else "Cluster"}
        for rule in webhook.get("rules") or ()
    )


def _listed(values: list[str], value: str) -> bool:
    return "*" in values or value in values


def _resource_listed(patterns: list[str], resource: Resource, subresource: str) -> bool:
    if not subresource:
        return bool({"*", "*/*", resource.plural} & set(patterns))
    wanted = {"*/*", f"{resource.plural}/*", f"*/{subresource}", f"{resource.plural}/{subresource}"}
    return bool(wanted & set(patterns))


def _review(call: Call, as_type: Resource, operation: str, states: tuple[Object | None, Object | None]) -> Object:
    """Give a review of a write that leads from the second of two states to the first."""
    named = states[0] or states[1] or {"metadata": {}}
    kind, place = _named(as_type)
    written_kind, written_place = _named(call.resource)
    is_other = as_type.api_version != call.resource.api_version
    new, old = (state and call.resource.stored(state) if is_other else state for state in states)
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid4()),
            "kind": kind,
            "resource": place,
            "requestKind": written_kind,
            "requestResource": written_place,
            "subResource": call.subresource,
            "name": named["metadata"].get("name", ""),
            "namespace": call.namespace,
            "operation": operation,
            "userInfo": {"username": call.user.name, "groups": list(call.user.groups)},
            "object": new,
            "oldObject": old,
            "dryRun": call.is_dry_run,
        },
    }


def _named(resource: Resource) -> tuple[Object, Object]:
    """Give a type as reviews name it: as a kind, and as a resource."""
    version = {"group": resource.group, "version": resource.version}
    return {**version, "kind": resource.kind}, {**version, "resource": resource.plural}
