"""The pages that probes ask: is this process alive, is it ready, should balancers send it traffic.

It takes questions, functions that give "" if all is well and otherwise the reason in words; a probe gets 200, or 503
with the reason. Which questions a process can answer is decided in run.py.

- `/livez`: the process answers. Nothing else: whatever is broken, a restart of this process would not mend it.
- `/readyz`, and `/healthz` as ingress-nginx called it: requests are served as they were wished.
- `/balancerz`: new connections are welcome. It fails as soon as the end is planned, while requests are still served, so
  that balancers outside of the cluster (LVS, keepalived, a cloud's) turn away in time.
"""

from collections.abc import Awaitable, Callable, Mapping

from sevengate.web.serving import MakePage, Page

#: Gives "" if all is well, or why not.
WhyNot = Callable[[], Awaitable[str]]


def health_pages(ready: WhyNot, welcome: WhyNot | None = None, path: str = "/healthz") -> Mapping[str, MakePage]:
    """Give the pages of a process; without `welcome`, no balancer is to ask it. `path` is one more for readiness."""
    pages = {path: _probe(ready), "/livez": _probe(_alive), "/readyz": _probe(ready), "/healthz": _probe(ready)}
    return {**pages, "/balancerz": _probe(welcome)} if welcome else pages


def _probe(why_not: WhyNot) -> MakePage:
    async def make() -> Page:
        reason = await why_not()
        return Page(f"{reason or 'ok'}\n", 503 if reason else 200)

    return make


async def _alive() -> str:
    return ""
