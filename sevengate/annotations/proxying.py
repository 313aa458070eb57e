"""How NGINX talks to the backend: protocol, timeouts, buffering, the size of bodies."""

from typing import Final

from sevengate import values
from sevengate.annotations.rows import Annotation, Asked, Risk, Scope
from sevengate.routing.policies import BackendProtocol, Profile, Timeouts
from sevengate.settings import Settings

_protocol = values.choice(BackendProtocol)


def _known_protocol(text: str) -> BackendProtocol:
    if text.upper() in {"AUTO_HTTP", "FCGI"}:
        raise ValueError(f"{text} is not carried out yet, and HTTP is spoken")
    return _protocol(text)


BACKEND_PROTOCOL: Final = Annotation(
    name="backend-protocol",
    parse=_known_protocol,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="What the backend speaks: HTTP, HTTPS, GRPC or GRPCS.",
    example="GRPC",
)
PROXY_BODY_SIZE: Final = Annotation(
    name="proxy-body-size",
    parse=values.size,
    scope=Scope.LOCATION,
    risk=Risk.MEDIUM,
    summary="Largest request body; 0 for any size. A larger one is answered with 413.",
    example="8m",
)
PROXY_CONNECT_TIMEOUT: Final = Annotation(
    name="proxy-connect-timeout",
    parse=values.timeout,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Time to connect to an endpoint, in seconds or with units.",
    example="10",
)
PROXY_SEND_TIMEOUT: Final = Annotation(
    name="proxy-send-timeout",
    parse=values.timeout,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Longest pause between two writes to an endpoint.",
    example="120",
)
PROXY_READ_TIMEOUT: Final = Annotation(
    name="proxy-read-timeout",
    parse=values.timeout,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Longest pause between two reads from an endpoint; what a silent WebSocket needs.",
    example="3600",
)
PROXY_BUFFERING: Final = Annotation(
    name="proxy-buffering",
    parse=values.switch,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Read answers ahead of the client.",
    example="on",
)
PROXY_REQUEST_BUFFERING: Final = Annotation(
    name="proxy-request-buffering",
    parse=values.switch,
    scope=Scope.LOCATION,
    risk=Risk.LOW,
    summary="Read the whole request body before a backend sees any of it.",
    example="off",
)
SERVICE_UPSTREAM: Final = Annotation(
    name="service-upstream",
    parse=values.boolean,
    scope=Scope.INGRESS,
    risk=Risk.LOW,
    summary="Send requests to the Service's address and let the cluster choose the pod.",
    example="true",
)

ROWS: Final = (
    BACKEND_PROTOCOL,
    PROXY_BODY_SIZE,
    PROXY_CONNECT_TIMEOUT,
    PROXY_SEND_TIMEOUT,
    PROXY_READ_TIMEOUT,
    PROXY_BUFFERING,
    PROXY_REQUEST_BUFFERING,
    SERVICE_UPSTREAM,
)


def profile(asked: Asked, settings: Settings) -> Profile:
    """Give what only a static location of NGINX can do."""
    return Profile(
        protocol=asked.of(BACKEND_PROTOCOL, BackendProtocol.HTTP),
        body_size=asked.of(PROXY_BODY_SIZE, settings.proxy_body_size),
        buffering=asked.of(PROXY_BUFFERING, settings.proxy_buffering),
        request_buffering=asked.of(PROXY_REQUEST_BUFFERING, settings.proxy_request_buffering),
    )


def timeouts(asked: Asked, settings: Settings) -> Timeouts:
    """Give the times that an endpoint has."""
    return Timeouts(
        connect=asked.of(PROXY_CONNECT_TIMEOUT, settings.proxy_connect_timeout),
        send=asked.of(PROXY_SEND_TIMEOUT, settings.proxy_send_timeout),
        read=asked.of(PROXY_READ_TIMEOUT, settings.proxy_read_timeout),
    )
