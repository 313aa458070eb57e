"""gRPC passes: calls, streams both ways and errors, to backends with and without TLS."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import trustme

from sevengate.kube.objects import IngressTLS
from sevengate.routing.table import Endpoint
from tests.compiler.making import ingress, path, rule, secret
from tests.features.cluster import Cluster, service_objects

HOST = "grpc.example"
LIMIT = 20
AUTHORITY = trustme.CA()


def once(message: bytes, context: grpc.ServicerContext) -> bytes:
    seen = dict(context.invocation_metadata()).get("x-forwarded-host", "")
    context.set_trailing_metadata([("x-seen-host", seen)])
    return message


def talk(messages: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
    for message in messages:
        yield b"heard " + message


def count(message: bytes, _: grpc.ServicerContext) -> Iterator[bytes]:
    for number in range(int(message)):
        yield b"%d" % number


def fail(message: bytes, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, message.decode())


#: A service with a method for each kind of call. Each message is its bytes: no protocol buffers are needed to see that
#: they pass.
ECHO = grpc.method_handlers_generic_handler(
    "test.Echo",
    {
        "Once": grpc.unary_unary_rpc_method_handler(once),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    },
)


@pytest.fixture
def server() -> Iterator[grpc.Server]:
    running = grpc.server(ThreadPoolExecutor(8), handlers=[ECHO])
    yield running
    running.stop(0).wait()


@pytest.fixture
def channel(cluster: Cluster) -> Iterator[grpc.Channel]:
    """A client of the gate over TLS, which alone speaks HTTP/2."""
    front = AUTHORITY.issue_cert(HOST)
    key = front.private_key_pem.bytes()
    chain = b"".join(pem.bytes() for pem in front.cert_chain_pems)
    cluster.put(secret("grpc-tls", chain, key))
    credentials = grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes())
    options = [("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", HOST)]
    with grpc.secure_channel(f"127.0.0.1:{cluster.gate.https_port}", credentials, options) as opened:
        yield opened


def serve(cluster: Cluster, server: grpc.Server, protocol: str = "GRPC") -> None:
    if protocol == "GRPCS":
        back = AUTHORITY.issue_cert("backend.example")
        pair = back.private_key_pem.bytes(), back.cert_chain_pems[0].bytes()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    cluster.put(*service_objects("echo", Endpoint("127.0.0.1", port)))
    lead(cluster, protocol, "/")


def lead(cluster: Cluster, protocol: str, prefix: str, service: str = "echo") -> None:
    """Put the Ingress."""
    tls = (IngressTLS((HOST,), "grpc-tls"),)
    cluster.put(ingress("echo", rule(HOST, path(prefix, service)), annotations={"backend-protocol": protocol}, tls=tls))


PROTOCOLS = pytest.mark.parametrize("protocol", ["GRPC", "GRPCS"])


@PROTOCOLS
def test_a_call_is_answered(cluster: Cluster, server: grpc.Server, channel: grpc.Channel, protocol: str) -> None:
    serve(cluster, server, protocol)
    once = channel.unary_unary("/test.Echo/Once")
    for message in (b"hello", b"", b"x" * 500_000):
        assert once(message, timeout=LIMIT) == message


def test_metadata_passes_and_the_backend_learns_the_host(
    cluster: Cluster, server: grpc.Server, channel: grpc.Channel
) -> None:
    serve(cluster, server)
    _, call = channel.unary_unary("/test.Echo/Once").with_call(b"x", timeout=LIMIT)
    assert dict(call.trailing_metadata())["x-seen-host"] == HOST


@PROTOCOLS
def test_a_stream_is_heard_while_it_goes_on(
    cluster: Cluster, server: grpc.Server, channel: grpc.Channel, protocol: str
) -> None:
    serve(cluster, server, protocol)
    answered = threading.Semaphore(1)

    def words() -> Iterator[bytes]:
        for number in range(5):
            assert answered.acquire(timeout=LIMIT)  # no word is said before the last one is answered
            yield b"%d" % number

    heard = []
    for answer in channel.stream_stream("/test.Echo/Talk")(words(), timeout=2 * LIMIT):
        heard += [answer]
        answered.release()
    assert heard == [b"heard %d" % number for number in range(5)]


def test_a_long_answer_comes_in_order(cluster: Cluster, server: grpc.Server, channel: grpc.Channel) -> None:
    serve(cluster, server)
    answers = list(channel.unary_stream("/test.Echo/Count")(b"1000", timeout=LIMIT))
    assert answers == [b"%d" % number for number in range(1000)]


@PROTOCOLS
def test_an_error_of_the_backend_comes_with_its_status_and_words(
    cluster: Cluster, server: grpc.Server, channel: grpc.Channel, protocol: str
) -> None:
    serve(cluster, server, protocol)
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Fail")(b"not yet", timeout=LIMIT)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not yet")


def test_a_method_that_is_not_there_says_so(cluster: Cluster, server: grpc.Server, channel: grpc.Channel) -> None:
    serve(cluster, server)
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Nothing")(b"", timeout=LIMIT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_service_that_is_not_there_is_unavailable(
    cluster: Cluster, server: grpc.Server, channel: grpc.Channel
) -> None:
    serve(cluster, server)
    lead(cluster, "GRPC", "/", "missing")
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/test.Echo/Once")(b"", timeout=LIMIT)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_paths_are_services_and_methods(cluster: Cluster, server: grpc.Server, channel: grpc.Channel) -> None:
    serve(cluster, server)
    lead(cluster, "GRPC", "/test.Echo")
    assert channel.unary_unary("/test.Echo/Once")(b"x", timeout=LIMIT) == b"x"
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/other.Service/Once")(b"x", timeout=LIMIT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # which HTTP calls 404


def test_a_call_stays_open_over_pushes_and_a_reload(
    cluster: Cluster, server: grpc.Server, channel: grpc.Channel
) -> None:
    serve(cluster, server)

    def words() -> Iterator[bytes]:
        yield b"before"
        cluster.put(ingress("other", rule("other.example")))
        yield b"pushed"
        assert cluster.configure({"keep-alive": "31"}).reloaded
        yield b"reloaded"

    heard = list(channel.stream_stream("/test.Echo/Talk")(words(), timeout=LIMIT))
    assert heard == [b"heard before", b"heard pushed", b"heard reloaded"]
