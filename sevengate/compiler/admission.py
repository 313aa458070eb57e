"""What an API server is to be told of an Ingress before it stores it.

Takes a Compilation of what there is now, and an Ingress as it is to be written with the one that it replaces. Compiles
both worlds, with the old object and with the new one, at the cost of what differs; the Compilation that was given is
never touched. The difference is the Verdict: an error that the write brings about, with this Ingress or with another
one, denies it; everything else is a remark. So whoever edits the label of an Ingress that was bad before is not kept
from it. How a Verdict is worded, and by which door it leaves, is left to web/.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from sevengate.compiler.compile import Compilation, recompile
from sevengate.diagnostics import Diagnostic, ObjectRef, Severity
from sevengate.kube.objects import Ingress
from sevengate.kube.snapshot import Deleted

#: Errors that another object heals, which may be on its way: a Service that is applied after the Ingress, a Secret that
#: cert-manager makes because the Ingress asks for it. To deny those would be to ask for an order that nobody keeps.
MAY_STILL_COME: Final = frozenset(
    {
        "backend/service-not-found",
        "backend/port-not-found",
        "canary/no-primary",
        "tls/secret-not-found",
        "tls/invalid-certificate",
        "tls/key-mismatch",
        "tls/host-not-covered",
    }
)
_ORDER: Final = (Severity.ERROR, Severity.WARNING, Severity.NOTICE)


class Written(msgspec.Struct, frozen=True):
    """One side of a write: the Ingress, None if it cannot be read, and what was found wrong on reading it."""

    ref: ObjectRef
    ingress: Ingress | None
    faults: tuple[Diagnostic, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What speaks against a write, and what else there is to say of it, the worst first."""

    denials: tuple[Diagnostic, ...] = ()
    remarks: tuple[Diagnostic, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.denials


def judge(present: Compilation, new: Written, old: Written | None, now: datetime) -> Verdict:
    """Say what comes of writing `new` in the place of `old`, which is None when the Ingress is created."""
    before = _with(present, new.ref, old.ingress if old else None, now)
    after = _with(before, new.ref, new.ingress, now)
    findings = _findings(after, new)
    worse = (
        *_more(findings, _findings(before, old) if old else ()),
        *_newly_said_of_others(before, after, new.ref),
    )
    denials = dict.fromkeys(found for found in worse if _denies(found))
    rest = dict.fromkeys((*findings, *worse) if new.ref in after.statuses else ())
    remarks = (found for found in rest if found not in denials)
    return Verdict(tuple(denials), tuple(sorted(remarks, key=lambda found: _ORDER.index(found.severity))))


def _with(world: Compilation, ref: ObjectRef, ingress: Ingress | None, now: datetime) -> Compilation:
    """Give the world in which this is the Ingress of that name, or there is none."""
    event = ingress or Deleted(Ingress.KIND, f"{ref.namespace}/{ref.name}")
    snapshot, changes = world.memory.snapshot.after([event])
    return recompile(world, snapshot, changes, max(now, world.memory.now)) if changes else world


def _findings(world: Compilation, written: Written) -> tuple[Diagnostic, ...]:
    """Give all that there is to say of the Ingress itself; how one that is not ours is written is not our business."""
    said = world.diagnostics.get(written.ref, ())
    is_ours = written.ingress is None or written.ref in world.statuses
    return (*written.faults, *said) if is_ours else said


def _more(findings: Iterable[Diagnostic], before: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Give the findings that were not there before; a field whose place in a list has changed is still the same."""
    known = Counter((found.code, found.message) for found in before)
    for found in findings:
        if known[found.code, found.message] > 0:
            known[found.code, found.message] -= 1
        else:
            yield found


def _newly_said_of_others(before: Compilation, after: Compilation, ref: ObjectRef) -> Iterator[Diagnostic]:
    """Give the errors of other objects that stand in a field of which nothing of that sort was said before."""
    for other, findings in after.diagnostics.items():
        earlier = before.diagnostics.get(other, ())
        if findings is earlier or other == ref:
            continue
        known = {(found.code, found.where.field) for found in earlier}
        for found in findings:
            if found.severity is Severity.ERROR and (found.code, found.where.field) not in known:
                yield found


def _denies(found: Diagnostic) -> bool:
    return found.severity is Severity.ERROR and found.code not in MAY_STILL_COME
