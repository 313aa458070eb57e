"""`sevengate dataplane`: an NGINX under a supervisor that waits at a socket for its controller, until a signal.

It takes DataPlaneOptions and needs nothing else: no API server, no token, no Secret, and it imports nothing that knows
of them. NGINX starts with the first Blueprint that a controller sends, and it stays when that controller goes. On a
signal NGINX is still served and fed for the grace period while /balancerz fails, then it is drained. Duty is the part
of this that `sevengate run` shares.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from sevengate.lifecycle import Ending, ending, first_of
from sevengate.nginx.control import ControlError, State
from sevengate.nginx.installation import find_installation
from sevengate.nginx.listening import Listen, addresses_of
from sevengate.nginx.supervision import serving as answering
from sevengate.nginx.supervisor import Supervisor
from sevengate.web.health import health_pages
from sevengate.web.serving import serving

#: The directory in which controller and data plane meet, where nobody names another.
DIRECTORY: Final = Path("/run/sevengate")


class Grace(msgspec.Struct, frozen=True):
    """Seconds before connections are refused, and seconds after NGINX has gone."""

    shutdown: float = 0.0
    post_shutdown: float = 0.0


class DataPlaneOptions(msgspec.Struct, frozen=True):
    """What `sevengate dataplane` is told. `bind_address` "" is every address of the machine, IPv4 and IPv6."""

    directory: Path = DIRECTORY
    bind_address: str = ""
    listen: Listen = Listen()
    status_port: int = 10246
    grace: Grace = Grace()


async def supervise(options: DataPlaneOptions, say: Callable[[str], None]) -> None:
    """Run an NGINX for a controller until a signal; raise NginxError if that cannot be done at all."""
    supervisor = Supervisor(find_installation(), options.directory, options.listen.at(options.bind_address))
    with ending() as end:
        duty = Duty(supervisor, end, options.grace, say)
        try:
            await supervisor.prepare()
            pages = health_pages(duty.why_not_ready, duty.why_not_welcome)
            async with (
                serving(pages, addresses_of(options.bind_address), options.status_port),
                answering(supervisor, supervisor.runtime.supervisor),
            ):
                say(f"waiting for a controller at {supervisor.runtime.supervisor}")
                await duty.over()
                await duty.leave()
        finally:
            await supervisor.close()


async def why_not_filled(ask: Callable[[], Awaitable[State]]) -> str:
    """Give "" if NGINX serves what was pushed to it, or why it does not."""
    try:
        state = await ask()
    except ControlError as error:
        return f"nginx does not answer: {error}"
    return "" if state.generation else "nothing was pushed yet"


class Duty:
    """What probes are told of an NGINX, and how its duty ends: grace, drain, and grace once more."""

    def __init__(self, supervisor: Supervisor, end: Ending, grace: Grace, say: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._end = end
        self._grace = grace
        self._say = say
        self._draining = False

    async def why_not_ready(self) -> str:
        """Give "" if requests are served as they were wished, or why they are not."""
        if self._draining:
            return ""  # those that are still under way are
        return await why_not_filled(self._supervisor.state)

    async def why_not_welcome(self) -> str:
        """Give "" if new connections may come, or why they should go elsewhere."""
        return "shutting down" if self._end.is_asked else await self.why_not_ready()

    async def over(self) -> None:
        """Wait for a signal, and then for the grace period."""
        await self._end.asked()
        if self._grace.shutdown:
            self._say(f"shutting down: serving for {self._grace.shutdown:.0f} s more, while balancers turn away")
            await self._end.pause(self._grace.shutdown)

    async def leave(self) -> None:
        """Drain NGINX, unless there is a hurry."""
        self._draining = True
        self._say("draining: connections under way are finished")
        await first_of(self._supervisor.drain(), self._end.hurried())
        await self._end.pause(self._grace.post_shutdown)
