"""HTTP: from a request to a Call, and from what comes of it to an answer.

Takes aiohttp's requests; gives its responses. One path for all: find out who asks, what they ask and whether they may,
let a fault happen if one is due, carry it out, and show the result in the form that the client wants. Every refusal is
an ApiError and becomes a Status here, and nowhere else. Where it listens is decided in `running`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from sevengate.lab.apiserver.answers import (
    ApiError,
    Object,
    forbidden,
    method_not_allowed,
    success,
)
from sevengate.lab.apiserver.api import Api
from sevengate.lab.apiserver.bodies import APPLY, JSON, media_type, read_object, read_patch
from sevengate.lab.apiserver.calls import Call, check_options, is_api, read_call
from sevengate.lab.apiserver.documents import document
from sevengate.lab.apiserver.faults import FaultRule, read_rule
from sevengate.lab.apiserver.identity import identify, impersonated
from sevengate.lab.apiserver.kubelets import SUBRESOURCES, Kubelets
from sevengate.lab.apiserver.rbac import MASTERS, Attributes, User, allowed
from sevengate.lab.apiserver.removal import read_deletion
from sevengate.lab.apiserver.representation import Shower, asked_form
from sevengate.lab.apiserver.scale import scale_of
from sevengate.lab.apiserver.storage import Stored
from sevengate.lab.apiserver.watch import Watch

_LOG: Final = logging.getLogger(__name__)
_FAULTS: Final = "/lab/faults"
#: What anybody may read who is known: discovery and probes (Kubernetes' role system:discovery).
_OPEN: Final = ("/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz")


#: Carries out one verb.
Answer = Callable[[web.BaseRequest, Call, Shower], Awaitable[web.StreamResponse]]


class Server:
    """Answers HTTP requests from an Api."""

    def __init__(self, api: Api, kubelets: Kubelets) -> None:
        self.api = api
        self._kubelets = kubelets
        self._watching: dict[asyncio.Task[object], web.BaseRequest] = {}
        self._verbs: dict[str, Answer] = {
            "create": self._create,
            "delete": self._delete,
            "deletecollection": self._delete_all,
            "get": self._get,
            "list": self._list,
            "patch": self._patch,
            "update": self._update,
        }

    def cut_watches(self) -> None:
        """Break the connection of every watch, as a network does."""
        for request in tuple(self._watching.values()):
            _break(request)

    def end_watches(self) -> None:
        """End every watch, because the server ends."""
        self.cut_watches()
        for task in self._watching:
            task.cancel()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        try:
            user = _user(request, self.api)
            if not is_api(request.path):
                return await self._document(request, user)
            return await self._resource(request, user)
        except ApiError as error:
            return _refusal(error)
        except Exception:
            _LOG.exception("%s %s", request.method, request.path)
            return _refusal(ApiError(500, "InternalError", "Internal error occurred: see the lab's log"))

    async def _document(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        if request.path == _FAULTS:
            return await self._fault(request, user)
        wanted = Attributes(request.method.lower(), path=request.path)
        if not request.path.startswith(_OPEN) and not allowed(self.api.storage, user, wanted):
            raise ApiError(403, "Forbidden", f"forbidden: {wanted.why_not(user)}")
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed()
        body, content_type = document(self.api.resources, request.path, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _fault(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        """Show, add or clear faults; only the lab's owner may."""
        if MASTERS not in user.groups:
            raise ApiError(403, "Forbidden", "forbidden: only the lab's owner makes faults")
        if request.method == "POST":
            self.api.faults.add(read_rule(await _body(request)))
        elif request.method == "DELETE":
            self.api.faults.clear()
        elif request.method != "GET":
            raise method_not_allowed()
        return _json(msgspec.json.encode(self.api.faults.rules()))

    async def _resource(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        call = read_call(request.method, request.path, request.query, self.api.resources)
        call.user, call.agent = user, request.headers.get("User-Agent", "")
        check_options(call)
        if call.resource.deprecation:
            call.warnings.append(call.resource.deprecation)
        if not allowed(self.api.storage, user, call.attributes):
            raise forbidden(call.resource.qualified, call.name, call.attributes.why_not(user))
        rule = await self._suffer(request, call)
        shower = Shower(
            call.resource, asked_form(request.headers.get("Accept", "")), request.query.get("includeObject", "Metadata")
        )
        if call.subresource in SUBRESOURCES:
            return await self._kubelets.answer(request, call)
        if call.verb == "watch":
            return await self._watch(request, call, shower, rule)
        return await self._verbs[call.verb](request, call, shower)

    async def _suffer(self, request: web.BaseRequest, call: Call) -> FaultRule | None:
        """Let the fault happen that is due, if one is; gives it, for what happens later."""
        rule = self.api.faults.take(call, request.headers.get("X-Lab-Fault", ""))
        if rule is not None:
            await asyncio.sleep(rule.delay)
            if rule.status:
                raise rule.error()
        return rule

    async def _get(self, _request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        return self._shown(call, shower, self.api.verbs.get(call))

    async def _update(self, request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        return self._shown(call, shower, await self.api.verbs.update(call, await _object(request)))

    async def _list(self, _request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        page = self.api.verbs.page(call)
        metadata: Object = {"resourceVersion": str(page.revision)}
        if page.token:
            metadata["continue"] = page.token
        if page.remaining:
            metadata["remainingItemCount"] = page.remaining
        return _json(shower.many(page.items, metadata, self.api.clock()))

    async def _create(self, request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        body = await _object(request)
        if call.subresource:
            return _json(msgspec.json.encode(await self.api.subresources.create(call, body)), 201)
        if not call.resource.is_stored:
            return _json(msgspec.json.encode(self.api.reviews.answer(call.user, call.resource, body)), 201)
        return self._shown(call, shower, await self.api.verbs.create(call, body), 201)

    async def _patch(self, request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        content_type, body = media_type(request.headers.get("Content-Type", "")), await _body(request)
        if content_type == APPLY:
            stored, is_new = await self.api.verbs.apply(call, read_object(body, content_type))
            return self._shown(call, shower, stored, 201 if is_new else 200)
        change = read_patch(body, content_type, call.resource, call.subresource)
        if call.subresource == "scale":
            return self._shown(call, shower, await self.api.verbs.patch_scale(call, change))
        return self._shown(call, shower, await self.api.verbs.patch(call, change))

    async def _delete(self, request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        deletion = read_deletion(await _options(request), request.query)
        stored = await self.api.verbs.delete(call, deletion)
        if self.api.storage.get(call.resource.shelf, call.key) or call.is_dry_run:
            return self._shown(call, shower, stored)
        uid = stored.object["metadata"]["uid"]
        return _json(msgspec.json.encode(success(call.resource.plural, call.resource.group, call.name, uid)))

    async def _delete_all(self, request: web.BaseRequest, call: Call, shower: Shower) -> web.Response:
        deletion = read_deletion(await _options(request), request.query)
        page = self.api.verbs.page(call)
        for stored in page.items:
            metadata = stored.object["metadata"]
            one = msgspec.structs.replace(call, name=metadata["name"], namespace=metadata.get("namespace", ""))
            if self.api.storage.get(one.resource.shelf, one.key):
                await self.api.verbs.delete(one, deletion)
        return _json(shower.many(page.items, {"resourceVersion": str(page.revision)}, self.api.clock()))

    def _shown(self, call: Call, shower: Shower, stored: Stored, code: int = 200) -> web.Response:
        if call.subresource == "scale":
            body = msgspec.json.encode(scale_of(stored.object, call.resource))
        else:
            body = shower.one(stored, self.api.clock())
        response = _json(body, code)
        for warning in call.warnings:
            response.headers.add("Warning", f"299 - {_quoted(warning)}")
        return response

    async def _watch(
        self, request: web.BaseRequest, call: Call, shower: Shower, rule: FaultRule | None
    ) -> web.StreamResponse:
        watch = Watch(self.api.storage, call, shower, self.api.clock)
        response = web.StreamResponse(headers={"Content-Type": JSON})
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has one
        self._watching[task] = request
        left = rule.cut_after if rule else None
        try:
            async for lines in watch.lines():
                if left is None:
                    await response.write(lines)
                    continue
                kept, left = _cut(lines, left)
                await response.write(kept)
                if not left:
                    _break(request)
                    break
        except ConnectionError:
            pass  # the client has gone, which is how watches end
        finally:
            del self._watching[task]
        return response


def _user(request: web.BaseRequest, api: Api) -> User:
    peer: dict[str, Any] | None = request.transport.get_extra_info("peercert") if request.transport else None
    user = identify(peer, request.headers.get("Authorization", ""), api.tokens)
    if name := request.headers.get("Impersonate-User"):
        return impersonated(api.storage, user, name, tuple(request.headers.getall("Impersonate-Group", ())))
    return user


def _break(request: web.BaseRequest) -> None:
    if isinstance(request.transport, asyncio.Transport):
        request.transport.abort()


def _cut(lines: bytes, most: int) -> tuple[bytes, int]:
    """Give at most so many lines, and how many more may follow."""
    pieces = lines.splitlines(keepends=True)
    return b"".join(pieces[:most]), max(0, most - len(pieces))


def _quoted(text: str) -> str:
    """Write text for a Warning header (RFC 9110, quoted-string); what cannot stand in one becomes a question mark."""
    plain = "".join(character if character.isprintable() else "?" for character in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {error.text}") from None


async def _object(request: web.BaseRequest) -> Object:
    return read_object(await _body(request), media_type(request.headers.get("Content-Type", "")))


async def _options(request: web.BaseRequest) -> Object:
    body = await _body(request)
    return read_object(body, media_type(request.headers.get("Content-Type", ""))) if body.strip() else {}


def _json(body: bytes, code: int = 200) -> web.Response:
    return web.Response(body=body, status=code, headers={"Content-Type": JSON})


def _refusal(error: ApiError) -> web.Response:
    response = _json(msgspec.json.encode(error.status()), error.code)
    if seconds := error.details.get("retryAfterSeconds"):
        response.headers["Retry-After"] = str(seconds)
    return response
