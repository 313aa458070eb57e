import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate import values
from sevengate.diagnostics import ObjectRef, Report, Severity, Where
from sevengate.nginx.installation import find_installation
from sevengate.settings import (
    SETTINGS,
    UNSUPPORTED,
    UNSUPPORTED_GUARDS,
    AccessLogFormat,
    LoadBalance,
    NextUpstream,
    Settings,
    TlsProtocol,
    read_settings,
)

CONFIG_MAP = Where(ObjectRef("ConfigMap", "ingress-nginx", "controller"))


def read(**data: str) -> tuple[Settings, Report]:
    report = Report()
    settings = read_settings({key.replace("_", "-"): text for key, text in data.items()}, CONFIG_MAP, report)
    return settings, report


def test_an_empty_config_map_leaves_all_defaults() -> None:
    settings, report = read()
    assert settings == Settings()
    assert not report.done()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_documented_default_is_the_default(name: str) -> None:
    row = SETTINGS[name]
    default = getattr(Settings(), name.replace("-", "_"))
    assert (row.parse(row.default) if row.default else type(default)()) == default


def test_every_field_but_the_reason_to_close_is_a_key() -> None:
    assert {name.replace("-", "_") for name in SETTINGS} == {*Settings.__struct_fields__} - {
        "closed_reason",
        "metering",
    }


def test_all_194_keys_of_ingress_nginx_are_known() -> None:
    assert len({*SETTINGS, *UNSUPPORTED} - {"access-log-format"}) == 194
    assert not UNSUPPORTED & {*SETTINGS}


def test_values_come_out_with_their_types() -> None:
    settings, report = read(
        proxy_body_size="8m",
        proxy_read_timeout="2m",
        proxy_buffering="on",
        proxy_next_upstream="error http_502",
        large_client_header_buffers="8 16k",
        worker_processes="4",
        ssl_protocols="TLSv1.3",
        load_balance="ewma",
        upstream_hash_by="$request_uri",
        no_tls_redirect_locations="/a, /b",
        whitelist_source_range="10.0.0.0/8,::1",
        access_log_format="json",
        use_http2="false",
    )
    assert not report.done()
    assert settings.proxy_body_size == 8 * 1024 * 1024
    assert settings.proxy_read_timeout == 120.0
    assert settings.proxy_buffering is True
    assert settings.proxy_next_upstream == (NextUpstream.ERROR, NextUpstream.HTTP_502)
    assert settings.large_client_header_buffers == (8, 16384)
    assert settings.worker_processes == 4
    assert settings.ssl_protocols == (TlsProtocol.TLS_1_3,)
    assert settings.load_balance is LoadBalance.EWMA
    assert settings.no_tls_redirect_locations == ("/a", "/b")
    assert settings.whitelist_source_range == ("10.0.0.0/8", "::1/128")
    assert settings.access_log_format is AccessLogFormat.JSON
    assert settings.use_http2 is False


def test_a_bad_value_names_its_key_and_leaves_the_default() -> None:
    settings, report = read(proxy_body_size="8 megabytes", hsts="yes")
    assert settings == Settings()
    [size, hsts] = report.done()
    assert (size.severity, size.code) == (Severity.ERROR, "setting/invalid-value")
    assert str(size.where) == "ConfigMap ingress-nginx/controller data[proxy-body-size]"
    assert "'8 megabytes' is not a size" in size.message
    assert hsts.where.field == "data[hsts]"


def test_nobody_is_believed_when_the_trusted_networks_cannot_be_read() -> None:
    settings, report = read(proxy_real_ip_cidr="10.0.0.0/99")
    assert settings.proxy_real_ip_cidr == ()
    assert [found.code for found in report] == ["setting/invalid-value"]


@pytest.mark.parametrize("key", ["whitelist_source_range", "denylist_source_range"])
def test_a_list_of_addresses_that_cannot_be_read_closes_everything(key: str) -> None:
    settings, report = read(**{key: "10.0.0.0/8, everybody"})
    assert "'everybody'" in settings.closed_reason
    assert [found.code for found in report] == ["setting/closed"]


@pytest.mark.parametrize("key", sorted(UNSUPPORTED_GUARDS))
def test_a_guard_that_is_not_carried_out_closes_everything(key: str) -> None:
    settings, report = read(**{key: "x"})
    assert key in settings.closed_reason
    assert [found.code for found in report] == ["setting/closed"]


def test_a_guard_that_is_off_or_empty_closes_nothing() -> None:
    settings, report = read(enable_modsecurity="false", global_auth_url="", whitelist_source_range=" ")
    assert settings == Settings()
    assert not report.done()


def test_a_known_key_that_is_not_carried_out_gets_a_warning() -> None:
    _, report = read(use_gzip="true")
    [found] = report.done()
    assert (found.severity, found.code) == (Severity.WARNING, "setting/unsupported")


def test_an_unknown_key_gets_the_nearest_name() -> None:
    _, report = read(proxy_body_sise="1m", zzz="1")
    near, far = report.done()
    assert (near.code, near.hint) == ("setting/unknown", "did you mean proxy-body-size?")
    assert far.hint == ""


def test_snippets_cannot_be_switched_on() -> None:
    settings, report = read(allow_snippet_annotations="true")
    assert settings.allow_snippet_annotations is False
    assert [found.code for found in report] == ["setting/invalid-value"]


HOSTILE = ['"', "'", ";", "{", "}", "\n", "\r", "\0", "#", "\\", "`", "$x", "on; }", "/x;} location / { alias /etc/;"]


#: These are data and never stand in nginx.conf, or its writer quotes them.
FREE_TEXT = {"upstream-hash-by", "log-format-upstream"}


@pytest.mark.parametrize("name", sorted({*SETTINGS} - FREE_TEXT))
@pytest.mark.parametrize("text", HOSTILE)
def test_no_setting_lets_text_become_structure(name: str, text: str) -> None:
    settings, _ = read(**{name: f"a{text}a"})
    value = getattr(settings, name.replace("-", "_"))
    assert text not in " ".join(map(str, value if isinstance(value, tuple) else [value]))


@given(st.dictionaries(st.sampled_from([*SETTINGS, *UNSUPPORTED]) | st.text(), st.text()))
def test_whatever_the_data_is_there_are_settings(data: dict[str, str]) -> None:
    report = Report()
    settings = read_settings(data, CONFIG_MAP, report)
    hash(settings)
    assert all(found.where.object == CONFIG_MAP.object for found in report)


def test_nginx_has_every_variable_that_a_log_line_may_name(tmp_path: Path) -> None:
    nginx = find_installation()
    families = {f"{family}x" for family in values.LOG_FAMILIES}
    ours = {name for name in values.LOG_VARIABLES if name in OUR_VARIABLES}
    line = " ".join(f"${name}" for name in sorted(values.LOG_VARIABLES | families))
    declared = "".join(f'map "" ${name} {{ default ""; }}\n' for name in ours)
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"error_log stderr; pid {tmp_path}/pid; events {{}}\n"
        f"http {{ variables_hash_max_size 2048; {declared}\n"
        f"log_format line '{line}'; access_log {tmp_path}/log line; }}\n"
    )
    run = subprocess.run(
        [nginx.executable, "-t", "-p", tmp_path, "-c", conf], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


OUR_VARIABLES = {
    "ingress_name",
    "namespace",
    "proxy_alternative_upstream_name",
    "proxy_upstream_name",
    "req_id",
    "service_name",
    "service_port",
}
