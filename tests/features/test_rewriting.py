"""What the backend sees of a path, byte by byte."""

from collections.abc import Callable

import pytest

from sevengate.kube.objects import PathType
from tests.compiler.making import ingress, path, rule
from tests.features.cluster import HOST, Cluster
from tests.features.error_log import ErrorLog
from tests.features.scripts import Peer, ScriptedBackends
from tests.features.wire import Wire

Seen = Callable[[bytes], bytes]


@pytest.fixture
def seen(cluster: Cluster, scripted: ScriptedBackends) -> Seen:
    """Send a request target and give the one that the backend saw; b"" if none saw any."""
    targets: list[bytes] = []

    def note(peer: Peer) -> None:
        while head := peer.head():
            targets.append(head[0].split(b" ")[1])
            peer.answer()

    def ask(target: bytes) -> bytes:
        targets.clear()
        with Wire(cluster.gate.http_port) as wire:
            wire.send(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (target, HOST.encode()))
            wire.answer()
        return targets[0] if targets else b""

    cluster.serve(scripted.start(note))
    return ask


def rewrite(cluster: Cluster, pattern: str, target: str, **annotations: str) -> None:
    kind = PathType.IMPLEMENTATION_SPECIFIC
    named = {name.replace("_", "-"): value for name, value in annotations.items()}
    asked = {"rewrite-target": target, "use-regex": "true", **named}
    cluster.put(ingress("shop", rule(HOST, path(pattern, kind=kind)), annotations=asked))


STRANGE = [
    b"/",
    b"/a//b/./c/../d",
    b"/a%2Fb%2fc",
    b"/%61%20%41",
    b"/caf\xc3\xa9",
    b"/caf%C3%A9/\xff",
    b"/a;b=c,d/(e)'f'\"g\"<h>[i]{j}|k\\l^m`n~",
    b"/a+b?c+d=%20&e=\xc3\xa9&&=",
    b"/?",
    b"/a?b?c#d",
    b"/a%3Fb%23c",
    b"/%25%32%35",
    b"/$1/${uri}/%24",
]


@pytest.mark.parametrize("annotations", [{}, {"proxy-body-size": "2m"}, {"load-balance": "ewma"}], ids=str)
def test_without_a_rewrite_the_target_is_as_it_was_sent(
    cluster: Cluster, seen: Seen, annotations: dict[str, str]
) -> None:
    cluster.put(ingress("shop", rule(HOST), annotations=annotations))
    assert [seen(target) for target in STRANGE] == STRANGE


REWRITTEN = {
    b"/shop": b"/",
    b"/shop/": b"/",
    b"/shop/cart/7": b"/cart/7",
    b"/shop/cart?x=1&y=%20": b"/cart?x=1&y=%20",
    b"/SHOP/Cart": b"/Cart",
    b"/shop/a%20b": b"/a%20b",
    b"/shop/a%2Fb": b"/a/b",
    b"/shop/a%3Fb=c": b"/a%3Fb=c",
    b"/shop/a%23b?c": b"/a%23b?c",
    b"/shop/caf%C3%A9": b"/caf%C3%A9",
    b"/shop/100%25": b"/100%25",
    b"/shop//a/../b": b"/b",
    b"/shop/$1": b"/$1",
    b"/shop/%0dEvil:%201": b"/%0DEvil:%201",
    b"/shop/a%0ab": b"/a",  # to PCRE a line feed is no "."
    b"/shop/x?": b"/x",
}


@pytest.mark.parametrize("annotations", [{}, {"proxy_body_size": "2m"}], ids=str)
def test_groups_of_the_path_make_the_new_one(cluster: Cluster, seen: Seen, annotations: dict[str, str]) -> None:
    rewrite(cluster, "/shop(/|$)(.*)", "/$2", **annotations)
    assert {target: seen(target) for target in REWRITTEN} == REWRITTEN


def test_bytes_that_a_path_must_not_hold_are_escaped_after_a_rewrite(cluster: Cluster, seen: Seen) -> None:
    rewrite(cluster, "/shop/(.*)", "/$1")
    assert seen(b"/shop/a%22b%7Bc%7D%5Cd") == b"/a%22b%7Bc%7D%5Cd"


def test_a_fixed_target_takes_the_place_of_every_path(cluster: Cluster, seen: Seen) -> None:
    rewrite(cluster, "/old", "/new/place")
    assert (seen(b"/old"), seen(b"/old/deeper?x=1")) == (b"/new/place", b"/new/place?x=1")


def test_groups_may_change_places(cluster: Cluster, seen: Seen) -> None:
    rewrite(cluster, "/([a-z]+)/([0-9]+)", "/$2/$1/$3x")
    assert seen(b"/item/42") == b"/42/item/x"


def test_a_target_that_does_not_begin_with_a_slash_gets_one(cluster: Cluster, seen: Seen) -> None:
    rewrite(cluster, "/shop/(.*)", "$1")
    assert seen(b"/shop/cart") == b"/cart"


def test_regular_expressions_rule_the_whole_host(cluster: Cluster, seen: Seen) -> None:
    cluster.put(
        ingress(
            "regex",
            rule(HOST, path("/v[0-9]+/items", kind=PathType.IMPLEMENTATION_SPECIFIC)),
            annotations={"use-regex": "true"},
        ),
        ingress("shop", rule(HOST, path("/exact", kind=PathType.EXACT))),
    )
    assert seen(b"/v12/items/7") == b"/v12/items/7"
    assert seen(b"/V3/ITEMS") == b"/V3/ITEMS"
    assert seen(b"/vx/items") == b""
    assert seen(b"/exact/more") == b"/exact/more"
    assert seen(b"/deep/exact") == b""


def test_a_pattern_that_would_never_end_is_given_up(cluster: Cluster, seen: Seen, error_log: ErrorLog) -> None:
    rewrite(cluster, "/(a|aa)+$", "/found")
    assert seen(b"/aaa") == b"/found"
    assert seen(b"/" + b"a" * 200 + b"!") == b""
    error_log.expect("pattern .*")
