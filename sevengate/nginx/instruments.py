"""What NGINX shows of itself, as text for Prometheus: its connections, its processes, and what it counted of requests.

It takes the control socket and the supervisor of an NGINX and gives the families REQUESTS and NGINX of metrics.py,
piece by piece: with many series the text is long, and NGINX writes it itself, so here it only passes through. Where
NGINX does not answer, what it knows is left out and sevengate_nginx_up is 0.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec

from sevengate.metrics import INHERITED, NGINX, REQUESTS, Sample, header, label_text, written
from sevengate.nginx.blueprint import Supervision
from sevengate.nginx.control import ControlClient, ControlError, State
from sevengate.nginx.installation import NginxError
from sevengate.settings import Metering

_PROCESS: Final = f"{INHERITED}nginx_process_"
#: What stub_status says (https://nginx.org/en/docs/http/ngx_http_stub_status_module.html).
_STUB_STATUS: Final = re.compile(
    r"Active connections: (?P<active>\d+)\s+server accepts handled requests\s+(?P<accepted>\d+) (?P<handled>\d+) "
    r"(?P<requests>\d+)\s+Reading: (?P<reading>\d+) Writing: (?P<writing>\d+) Waiting: (?P<waiting>\d+)"
)


class Instruments:
    """Reads one NGINX."""

    def __init__(self, control: ControlClient, supervisor: Supervision) -> None:
        self._control = control
        self._supervisor = supervisor

    async def text(self, constant: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Give all families; `constant` holds the labels that say which controller drives this NGINX."""
        metering, found = await self._metering(), await self._found()
        for name in NGINX:
            yield written(name, found.get(name, ()), constant).encode()
        for name in REQUESTS:
            yield header(name).encode()
            if metering.enabled and name not in metering.excluded and found["sevengate_nginx_up"][0].value:
                async for piece in self._control.series(name.removeprefix(INHERITED), name, label_text(constant)):
                    yield piece

    async def _metering(self) -> Metering:
        try:
            running = (await self._supervisor.standing()).running
        except NginxError:
            running = None
        return running.settings.metering if running else Metering()

    async def _found(self) -> dict[str, list[Sample]]:
        """Give what is known, by family."""
        found = {"sevengate_nginx_up": [Sample(0)]}
        with contextlib.suppress(ControlError, NginxError):
            usage = await self._supervisor.usage()
            found |= {f"{_PROCESS}{name}": [Sample(value)] for name, value in msgspec.structs.asdict(usage).items()}
            found |= _of_connections(await self._control.connections())
            found |= _of_state(await self._control.state())
            found["sevengate_nginx_up"] = [Sample(1)]
        return found


def _of_state(state: State) -> dict[str, list[Sample]]:
    return {
        # Thirteen digits of it, so that a double holds the number exactly.
        f"{INHERITED}config_hash": [Sample(int(state.conf[:13] or "0", 16))],
        "sevengate_generation": [Sample(state.generation)],
        "sevengate_dictionary_bytes": [Sample(state.capacity)],
        "sevengate_dictionary_free_bytes": [Sample(state.free)],
        "sevengate_uncounted_requests_total": [Sample(state.uncounted)],
    }


def _of_connections(said: str) -> dict[str, list[Sample]]:
    read = _STUB_STATUS.match(said)
    if read is None:
        return {}
    number = {name: int(text) for name, text in read.groupdict().items()}
    return {
        f"{_PROCESS}connections": [
            Sample(number[state], {"state": state}) for state in ("active", "reading", "writing", "waiting")
        ],
        f"{_PROCESS}connections_total": [Sample(number[state], {"state": state}) for state in ("accepted", "handled")],
        f"{_PROCESS}requests_total": [Sample(number["requests"])],
    }
