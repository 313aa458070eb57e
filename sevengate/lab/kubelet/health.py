"""Looks after the health of a running container: has it started, is it ready, does it live.

Takes a Patient, a container that runs; sets what its State says of these, and gives it up when a probe has failed for
good, after which its next run follows as after any other end. How one probe asks is told in `probes`.
"""

import asyncio
import time
from typing import Protocol

from sevengate.lab.kubelet.probes import IMPATIENT, Target, Verdict, act, ask, timing
from sevengate.lab.kubelet.status import State
from sevengate.lab.mirror import Object


class Patient(Protocol):
    """A container as far as its health is concerned."""

    spec: Object
    state: State

    def target(self) -> Target:
        """Say how it is asked."""

    def tell(self, reason: str, message: str, kind: str = "Normal") -> None:
        """Write an Event of it."""

    def changed(self) -> None:
        """Take note that its State has changed."""

    async def give_up(self) -> None:
        """End its process."""


async def watch_health(patient: Patient) -> None:
    """Do the hook after the start, wait until it has started, then keep asking, until cancelled."""
    spec = patient.spec
    if hook := (spec.get("lifecycle") or {}).get("postStart"):
        verdict = await act(hook, patient.target())
        if not verdict.is_good:
            patient.tell("FailedPostStartHook", f"PostStartHook failed: {verdict.said}", "Warning")
            return await patient.give_up()
    if probe := spec.get("startupProbe"):
        await _until_started(patient, probe)
    patient.state.is_started = True
    asking = [_keep_living(patient, probe)] if (probe := spec.get("livenessProbe")) else []
    if probe := spec.get("readinessProbe"):
        asking.append(_keep_ready(patient, probe))
    else:
        patient.state.is_ready = True
    patient.changed()
    await asyncio.gather(*asking)
    return None


async def _until_started(patient: Patient, probe: Object) -> None:
    when = timing(probe)
    limit = time.monotonic() + when.delay + when.period * when.failures
    while not (verdict := await ask(probe, patient.target())).is_good:
        if time.monotonic() > limit:
            _say_unhealthy(patient, "Startup", verdict)
            await _fail(patient, "startup")
        await asyncio.sleep(min(when.period, IMPATIENT))


async def _keep_living(patient: Patient, probe: Object) -> None:
    when, bad = timing(probe), 0
    await asyncio.sleep(when.delay)
    while True:
        verdict = await ask(probe, patient.target())
        bad = 0 if verdict.is_good else bad + 1
        if not verdict.is_good:
            _say_unhealthy(patient, "Liveness", verdict)
        if bad >= when.failures:
            await _fail(patient, "liveness")
        await asyncio.sleep(when.period)


async def _keep_ready(patient: Patient, probe: Object) -> None:
    """Ask often as long as it is not ready; what fails is told once a period, once its first delay is over."""
    when, state = timing(probe), patient.state
    good = bad = 0
    told_at = time.monotonic() + when.delay
    while True:
        verdict = await ask(probe, patient.target())
        good, bad = (good + 1, 0) if verdict.is_good else (0, bad + 1)
        if not verdict.is_good and time.monotonic() >= told_at + (0 if state.is_ready else when.period):
            told_at = time.monotonic()
            _say_unhealthy(patient, "Readiness", verdict)
        is_ready = good >= when.successes or (state.is_ready and bad < when.failures)
        if is_ready != state.is_ready:
            state.is_ready = is_ready
            patient.changed()
        await asyncio.sleep(when.period if state.is_ready else min(when.period, IMPATIENT))


def _say_unhealthy(patient: Patient, kind: str, verdict: Verdict) -> None:
    patient.tell("Unhealthy", f"{kind} probe failed: {verdict.said}", "Warning")


async def _fail(patient: Patient, kind: str) -> None:
    patient.tell("Killing", f"Container {patient.spec['name']} failed {kind} probe, will be restarted")
    await patient.give_up()
