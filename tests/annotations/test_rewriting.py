import pytest

from tests.annotations.asking import ask, wish


@pytest.mark.parametrize("target", ["/", "/$1", "/api/$2", "$1", "/a/$1$2", "/a:b@c,d", ""])
def test_a_rewrite_target_is_a_path_with_groups(target: str) -> None:
    assert wish(rewrite_target=target).rewrite_target == target


@pytest.mark.parametrize("target", ["a", "/a?b=c", "/$host", "/$0", "/${1}", '/"', "/a b", "/%2e%2e", "/é", "/a;b"])
def test_any_other_rewrite_target_closes_the_routes(target: str) -> None:
    wishes, [found] = ask(rewrite_target=target)
    assert wishes.closed
    assert wishes.rewrite_target == ""
    assert found.code == "annotation/closed"


def test_regular_expressions_are_asked_for() -> None:
    assert wish(use_regex="true").use_regex


def test_the_backends_host_is_fixed() -> None:
    assert wish(upstream_vhost="shop.internal:8080").upstream_host == "shop.internal:8080"
    wishes, [found] = ask(upstream_vhost="$service_name.$namespace.svc")
    assert wishes.upstream_host == ""
    assert "only a fixed host" in found.message


def test_the_forwarded_prefix_is_a_fixed_path() -> None:
    assert wish(x_forwarded_prefix="/shop").x_forwarded_prefix == "/shop"
    wishes, [found] = ask(x_forwarded_prefix="/$1")
    assert wishes.x_forwarded_prefix == ""
    assert "only a fixed path" in found.message
