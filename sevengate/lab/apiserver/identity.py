"""Who a request comes from: a client certificate of the lab's authority, or a service account's token.

Takes the peer's certificate and the Authorization header; gives a User, or raises ApiError 401. Tokens are JSON Web
Tokens signed with a key of this process (Kubernetes, "Service Account Tokens"), so they end with the lab; one whose
ServiceAccount is gone or was made anew is worth nothing. What a User may do is decided in `rbac`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sevengate.lab.apiserver.answers import Object, forbidden, unauthorized
from sevengate.lab.apiserver.rbac import AUTHENTICATED, SERVICE_ACCOUNT, Attributes, User, allowed
from sevengate.lab.apiserver.storage import Storage

ISSUER: Final = "https://kubernetes.default.svc"
AUDIENCE: Final = ISSUER
_ACCOUNTS: Final = ("", "serviceaccounts")
_BEARER: Final = "Bearer "
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}


class Tokens:
    """Issues and reads service accounts' tokens."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._key = secrets.token_bytes(32)

    def issue(self, account: Object, audiences: tuple[str, ...], valid: timedelta) -> tuple[str, datetime]:
        """Give a token of a ServiceAccount and the moment at which it ends."""
        metadata = account["metadata"]
        now = datetime.now(UTC).replace(microsecond=0)
        ends = now + valid
        claims = {
            "iss": ISSUER,
            "sub": f"{SERVICE_ACCOUNT}{metadata['namespace']}:{metadata['name']}",
            "aud": list(audiences or (AUDIENCE,)),
            "iat": int(now.timestamp()),
            "exp": int(ends.timestamp()),
            "kubernetes.io": {
                "namespace": metadata["namespace"],
                "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        text = f"{_base64(_HEADER)}.{_base64(claims)}"
        return f"{text}.{_unpadded(self._signature(text))}", ends

    def read(self, token: str, audience: str = AUDIENCE) -> User | None:
        """Give whose token it is; None if it is forged, has ended, is for others, or its account is gone."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_unpadded(self._signature(text)).encode(), signature.encode()):
            return None
        claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        if claims["exp"] <= datetime.now(UTC).timestamp() or audience not in claims["aud"]:
            return None
        about = claims["kubernetes.io"]
        namespace, account = about["namespace"], about["serviceaccount"]
        stored = self._storage.get(_ACCOUNTS, (namespace, account["name"]))
        if stored is None or stored.object["metadata"]["uid"] != account["uid"]:
            return None
        return User(claims["sub"], _groups_of_account(namespace), account["uid"])

    def _signature(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)


def _base64(value: object) -> str:
    return _unpadded(msgspec.json.encode(value))


def _unpadded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _groups_of_account(namespace: str) -> tuple[str, ...]:
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)


def impersonated(storage: Storage, user: User, name: str, groups: tuple[str, ...]) -> User:
    """Give the user that another one acts as; raise ApiError 403 if they may not (Kubernetes, "User Impersonation")."""
    if name.startswith(SERVICE_ACCOUNT):
        namespace, _, account = name.removeprefix(SERVICE_ACCOUNT).partition(":")
        wanted = [Attributes("impersonate", resource="serviceaccounts", namespace=namespace, name=account)]
        own = _groups_of_account(namespace)
    else:
        wanted, own = [Attributes("impersonate", resource="users", name=name)], (AUTHENTICATED,)
    wanted += [Attributes("impersonate", resource="groups", name=group) for group in groups]
    for one in wanted:
        if not allowed(storage, user, one):
            raise forbidden(one.resource, one.name, one.why_not(user))
    return User(name, (*groups, *own))


def identify(peer: Mapping[str, Any] | None, authorization: str, tokens: Tokens) -> User:
    """Give who asks; raise ApiError 401 for a bad token, or where there is neither token nor certificate.

    `peer` is the client's certificate as Python's ssl module gives it, verified already.
    """
    if authorization.startswith(_BEARER):
        if user := tokens.read(authorization.removeprefix(_BEARER).strip()):
            return user
        raise unauthorized()
    names = [pair for part in (peer or {}).get("subject", ()) for pair in part]
    common = [value for key, value in names if key == "commonName"]
    if not common:
        raise unauthorized()
    groups = tuple(value for key, value in names if key == "organizationName")
    return User(common[0], (*groups, AUTHENTICATED))
