import pytest

from sevengate.routing.policies import BackendProtocol, Profile, Timeouts
from sevengate.settings import Settings
from tests.annotations.asking import ask, wish


def test_a_profile_is_the_settings_with_what_was_asked_for() -> None:
    settings = Settings(proxy_body_size=5, proxy_buffering=True)
    assert wish(settings).profile == Profile(body_size=5, buffering=True)
    wishes = wish(settings, proxy_body_size="8k", proxy_request_buffering="off", backend_protocol="GRPCS")
    assert wishes.profile == Profile(BackendProtocol.GRPCS, body_size=8192, buffering=True, request_buffering=False)


def test_timeouts_are_seconds_or_have_units() -> None:
    settings = Settings(proxy_send_timeout=7.0)
    wishes = wish(settings, proxy_connect_timeout="3", proxy_read_timeout="1h")
    assert wishes.timeouts == Timeouts(connect=3, send=7, read=3600)


@pytest.mark.parametrize("text", ["http", "HTTP", "Https", "grpc"])
def test_protocols_are_read_in_any_case(text: str) -> None:
    assert wish(backend_protocol=text).profile.protocol == text.lower()


@pytest.mark.parametrize("text", ["AUTO_HTTP", "FCGI", "fcgi"])
def test_protocols_that_are_not_carried_out_say_so(text: str) -> None:
    wishes, [found] = ask(backend_protocol=text)
    assert wishes.profile.protocol is BackendProtocol.HTTP
    assert "not carried out yet" in found.message


def test_a_service_can_be_asked_for_itself() -> None:
    assert wish(service_upstream="true").service_upstream
    assert wish(Settings(service_upstream=True)).service_upstream
