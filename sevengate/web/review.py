"""AdmissionReviews: what an API server asks before it stores an object, and the answer in its words.

Takes the body of a request and gives a Question, or raises NoReviewError where it is none; takes a Verdict and gives
the body of an answer. Texts are as short as the server wants them, so that kubectl shows them whole. Nothing of a body
is trusted: it may come from anybody who reaches the port. Who judges is left to compiler/admission.py.
https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from sevengate.compiler.admission import Verdict, Written
from sevengate.diagnostics import Diagnostic, ObjectRef, Report
from sevengate.kube.decode import KINDS, decode_json
from sevengate.kube.objects import Ingress

#: A warning should not be longer than this; longer ones lose their hint.
GOOD_WARNING: Final = 120
#: The API server may cut a warning of more characters, and passes over what goes beyond a sum of all.
LONGEST_WARNING: Final = 256
ALL_WARNINGS: Final = 4096
#: A denial names this number of errors at most, of so many characters each.
MOST_ERRORS: Final = 10
LONGEST_ERROR: Final = 1024

#: Versions whose shape is the same.
_VERSIONS: Final = frozenset({"admission.k8s.io/v1", "admission.k8s.io/v1beta1"})
_NOTHING: Final = msgspec.Raw(b"null")


class NoReviewError(Exception):
    """A body is no AdmissionReview."""


class _Type(msgspec.Struct, frozen=True):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None


class _Named(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    kind: _Type
    operation: str
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    object: msgspec.Raw = _NOTHING
    old_object: msgspec.Raw = _NOTHING


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: _Request


class Question(msgspec.Struct, frozen=True):
    """One review: `new` is to be written in the place of `old`. Without `new` there is nothing to judge."""

    api_version: str
    uid: str
    new: Written | None = None
    old: Written | None = None
    remark: str = ""


def read(body: bytes) -> Question:
    """Read an AdmissionReview; raise NoReviewError."""
    try:
        review = msgspec.json.decode(body, type=_Review)
        if review.kind != "AdmissionReview" or review.api_version not in _VERSIONS:
            raise NoReviewError(f"this is {review.kind} of {review.api_version}, and not an AdmissionReview of v1")
        return _question(review)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoReviewError(f"this is not an AdmissionReview: {error}") from error


def _question(review: _Review) -> Question:
    request = review.request
    version = "/".join(part for part in (request.kind.group, request.kind.version) if part)
    question = Question(review.api_version, request.uid)
    if request.kind.kind != Ingress.KIND or (version, Ingress.KIND) not in KINDS:
        remark = f"Sevengate judges Ingresses, and not {request.kind.kind[:60]} of {version[:60]}"
        return msgspec.structs.replace(question, remark=remark)
    if request.operation not in {"CREATE", "UPDATE"} or request.sub_resource:
        return question
    new = _written(version, request, request.object)
    if new.ingress and new.ingress.metadata.deletion_timestamp:
        # It is on its way out; whoever takes its finalizers away must not be held up.
        return question
    old = _written(version, request, request.old_object) if request.operation == "UPDATE" else None
    return msgspec.structs.replace(question, new=new, old=old)


def _written(version: str, request: _Request, raw: msgspec.Raw) -> Written:
    metadata = _metadata(raw)
    name = metadata.name or request.name or f"{metadata.generate_name or ''}new"
    ref = ObjectRef(Ingress.KIND, metadata.namespace or request.namespace, name)
    report = Report()
    found = decode_json(version, Ingress.KIND, raw, report)
    if not isinstance(found, Ingress):
        return Written(ref, None, report.done())
    return Written(found.ref, found, report.done())


def _metadata(raw: msgspec.Raw) -> _Metadata:
    try:
        return msgspec.json.decode(raw, type=_Named).metadata
    except msgspec.DecodeError:
        return _Metadata()


def answer(question: Question, verdict: Verdict) -> bytes:
    """Write the answer to a question."""
    about = question.new.ref if question.new else None
    response: dict[str, object] = {"uid": question.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = {"code": 400, "reason": "BadRequest", "message": _denial(verdict.denials, about)}
    warnings = [question.remark] if question.remark else list(_warnings(verdict.remarks, about))
    if warnings:
        response["warnings"] = warnings
    return msgspec.json.encode({"apiVersion": question.api_version, "kind": "AdmissionReview", "response": response})


def _denial(denials: tuple[Diagnostic, ...], about: ObjectRef | None) -> str:
    lines = [_reason(found, about) for found in denials[:MOST_ERRORS]]
    more = len(denials) - MOST_ERRORS
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def _reason(found: Diagnostic, about: ObjectRef | None) -> str:
    text = _sentence(found, str(found.where), with_hint=True)
    return _cut(text if found.where.object == about else f"this would break another object: {text}", LONGEST_ERROR)


def _warnings(remarks: tuple[Diagnostic, ...], about: ObjectRef | None) -> Iterator[str]:
    """Give warnings that fit, and say how many do not."""
    room = ALL_WARNINGS - LONGEST_WARNING
    for number, found in enumerate(remarks):
        text = _warning(found, about)
        room -= len(text.encode())
        if room < 0:
            yield f"and {len(remarks) - number} more; kubectl describe shows them as Events"
            return
        yield text


def _warning(found: Diagnostic, about: ObjectRef | None) -> str:
    where = found.where.field if found.where.object == about else str(found.where)
    with_hint = _sentence(found, where, with_hint=True)
    return with_hint if len(with_hint) <= GOOD_WARNING else _cut(_sentence(found, where), LONGEST_WARNING)


def _sentence(found: Diagnostic, where: str, *, with_hint: bool = False) -> str:
    text = f"{where}: {found.message}" if where else found.message
    text = f"{text} ({found.hint})" if with_hint and found.hint else text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
