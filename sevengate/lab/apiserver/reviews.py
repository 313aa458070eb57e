"""Questions that are answered and not stored: who am I, may I, may they, whose token is this.

Takes the review object and who sent it; gives it back with its status, as `kubectl auth can-i` and webhooks' token
checks need it. The decisions are those of `rbac` and `identity`. Source: Kubernetes' API reference, groups
authorization.k8s.io and authentication.k8s.io.
"""

from collections.abc import Callable
from typing import Any, Final

from sevengate.lab.apiserver.answers import Object
from sevengate.lab.apiserver.identity import AUDIENCE, Tokens
from sevengate.lab.apiserver.rbac import MASTERS, Attributes, User, allowed, rules_for
from sevengate.lab.apiserver.resources import Resource
from sevengate.lab.apiserver.storage import Storage
from sevengate.lab.apiserver.validation import typed


class Reviews:
    """Answers reviews."""

    def __init__(self, storage: Storage, tokens: Tokens) -> None:
        self._storage = storage
        self._tokens = tokens
        self._answers: Final[dict[str, Callable[[User, Object], Object]]] = {
            "SelfSubjectAccessReview": self._may,
            "SubjectAccessReview": lambda _user, spec: self._may(_named(spec), spec),
            "LocalSubjectAccessReview": lambda _user, spec: self._may(_named(spec), spec),
            "SelfSubjectRulesReview": self._rules,
            "SelfSubjectReview": lambda user, _spec: {"userInfo": _shown(user)},
            "TokenReview": lambda _user, spec: self._token(spec),
        }

    def answer(self, user: User, resource: Resource, body: Object) -> Object:
        """Give a review with its answer; raise ApiError if it is none."""
        review = typed(body, resource.schema, resource.kind)
        spec = review.get("spec") or {}
        return {"metadata": {}, **review, "status": self._answers[resource.kind](user, spec)}

    def _may(self, user: User, spec: Object) -> Object:
        is_allowed = allowed(self._storage, user, _attributes(spec))
        return {"allowed": is_allowed} | ({} if is_allowed else {"reason": "no RBAC rule allows it"})

    def _rules(self, user: User, spec: Object) -> Object:
        everything = (
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        )
        found = (
            list(everything)
            if MASTERS in user.groups
            else list(rules_for(self._storage, user, spec.get("namespace", "")))
        )
        return {
            "resourceRules": [rule for rule in found if rule.get("resources")],
            "nonResourceRules": [rule for rule in found if rule.get("nonResourceURLs")],
            "incomplete": False,
        }

    def _token(self, spec: Object) -> Object:
        audiences = spec.get("audiences") or [AUDIENCE]
        user = self._tokens.read(str(spec.get("token", "")), audiences[0])
        return (
            {"authenticated": True, "user": _shown(user), "audiences": audiences} if user else {"authenticated": False}
        )


def _named(spec: Object) -> User:
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()))


def _shown(user: User) -> Object:
    return {"username": user.name, "groups": list(user.groups)} | ({"uid": user.uid} if user.uid else {})


def _attributes(spec: Object) -> Attributes:
    if path := spec.get("nonResourceAttributes"):
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    wanted: dict[str, Any] = spec.get("resourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{name: wanted.get(name, "") for name in names})
