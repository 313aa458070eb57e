import math
from collections.abc import Callable
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevengate import values


class Colour(StrEnum):
    RED = "red"
    BLUE = "Blue"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("t", True), ("TRUE", True), ("0", False), ("False", False)])
def test_a_boolean_is_what_go_says_it_is(text: str, *, value: bool) -> None:
    assert values.boolean(text) is value


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", "true\n", "2", " true"])
def test_no_other_word_is_a_boolean(text: str) -> None:
    with pytest.raises(ValueError, match=r'neither "true" nor "false"'):
        values.boolean(text)


def test_a_switch_is_on_or_off_or_a_boolean() -> None:
    assert values.switch("on")
    assert values.switch("true")
    assert not values.switch("off")
    with pytest.raises(ValueError, match='neither "on" nor "off"'):
        values.switch("ON;")


def test_an_integer_keeps_within_its_bounds() -> None:
    parse = values.integer(-1, 10)
    assert (parse("-1"), parse("+7"), parse("010")) == (-1, 7, 10)
    for text in ("11", "-2", "", "1.5", "0x10", "1_0", "\u0661", "1 "):
        with pytest.raises(ValueError, match=r"is not (a whole number|between -1 and 10)"):
            parse(text)


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1024", 1024), ("8k", 8192), ("8K", 8192), ("1m", 2**20), ("2G", 2**31)]
)
def test_a_size_is_what_nginx_says_it_is(text: str, value: int) -> None:
    assert values.size(text) == value


@pytest.mark.parametrize(
    "text", ["", "8kb", "8Mi", "-1", "1.5m", "8 k", "k", "1t", "1b", "9" * 16, "8k;", "9999999999g"]
)
def test_other_texts_are_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"is (not a size|larger than)"):
        values.size(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("75", 75), ("5s", 5), ("1m30s", 90), ("1h 30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("1d", 86_400)],
)
def test_a_duration_is_seconds_or_has_units(text: str, value: float) -> None:
    assert math.isclose(values.seconds(text), value)


@pytest.mark.parametrize(
    "text", ["", "5 seconds", "30s1m", "1s1s", "-5", "5S", "1M", "1y", "s", "1.5", "\uff15", "5s;", "366d"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"is (not a duration|longer than a year)"):
        values.seconds(text)


def test_a_timeout_is_not_zero() -> None:
    with pytest.raises(ValueError, match="shorter than a millisecond"):
        values.timeout("0")


@pytest.mark.parametrize("text", ["0", "500ms", "1500ms"])
def test_some_durations_are_whole_seconds(text: str) -> None:
    with pytest.raises(ValueError, match="whole number of seconds"):
        values.whole_seconds(text)


@given(st.integers(0, 86_400_000))
def test_a_duration_reads_the_same_however_it_is_cut_into_units(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    hours, minutes = divmod(seconds // 60, 60)
    text = f"{hours}h{minutes}m{seconds % 60}s{rest}ms"
    assert math.isclose(values.seconds(text), milliseconds / 1000, abs_tol=1e-9)


def test_a_choice_is_read_in_any_case_and_names_what_may_stand_there() -> None:
    parse = values.choice(Colour)
    assert (parse("RED"), parse("blue")) == (Colour.RED, Colour.BLUE)
    with pytest.raises(ValueError, match="'green' is not one of red, Blue"):
        parse("green")


def test_words_may_be_separated_by_spaces_or_commas() -> None:
    assert values.words(values.choice(Colour))("red,  blue red") == (Colour.RED, Colour.BLUE)
    with pytest.raises(ValueError, match="empty"):
        values.words(str)(" , ")


def test_networks_keep_their_order_and_lose_their_host_bits() -> None:
    assert list(map(str, values.networks("192.168.1.7/16,\n ::1"))) == ["192.168.0.0/16", "::1/128"]


BAD: list[tuple[Callable[[str], object], list[str]]] = [
    (values.header_name, ["", "X Canary", "X:Y", "X\n", "Ä", "x" * 257, 'a"b', "${x}"]),
    (values.header_value, ["", " a", "a\nb", "é", "a\0", "x" * 1025]),
    (values.cookie_name, ["", "a=b", "a;b", "a b", "a\n", "$x", '"x"']),
    (values.dns_name, ["", "-a", "a-", "a..b", "a_b", "a" * 64, "a.b.", "*.a", "a;b", "a\n"]),
    (values.authority, ["", "a b", "a:0", "a:65536", "a:b", "a/b", "$host", "a\n", "user@a", "a;b", "{a}"]),
    (values.path, ["", "a", "/a b", "/a;b", "/a{b}", '/a"b', "/a\n", "/a'", "/$1", "/a\\b", "/é", "/a#b", "/" * 4097]),
    (
        values.url_template,
        ["a b", 'a"b', "a{b}", "a\n", "a\0", "$nope", "$", "${host", "a`b", "a\\b", "a'b", "a" * 4097],
    ),
    (values.hash_key, ["$nope", "a b", "a\n", "a;{"]),
    (values.file_path, ["", "log", "/a/../b", "/a b", "/a;", "/a\n", "/$x"]),
    (values.ciphers, ["", "A B;", "A\0", "A'", "$x"]),
    (values.log_format, ["$nope", "$", "a\0b", "x" * 4000, '"' * 2000, "$http_", "\u2028"]),
]


@pytest.mark.parametrize(("parse", "text"), [(parse, text) for parse, texts in BAD for text in texts])
def test_text_that_means_something_elsewhere_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_good_texts_come_through() -> None:
    assert values.header_name("X-Canary") == "x-canary"
    assert values.dns_name("Example.COM") == "example.com"
    assert values.authority("[::1]:8080") == "[::1]:8080"
    assert values.paths("/a, /b/") == ("/a", "/b/")
    assert values.url_template("https://${host}/a?b=$arg_c#d") == "https://${host}/a?b=$arg_c#d"
    assert values.ciphers("A:\n  B-C:!D") == "A:B-C:!D"
    assert values.log_format('{"a": "$status",\n  "b": "${http_x}"}') == '{"a": "$status", "b": "${http_x}"}'


def test_a_hash_key_takes_the_predecessors_names_of_variables() -> None:
    assert values.hash_key("$binary_remote_addr-${the_real_ip}") == "$remote_addr-${remote_addr}"


def test_an_interpolation_is_literals_and_variables() -> None:
    parts = values.interpolation("a${host}b$args", values.is_request_variable)
    assert parts == ("a", values.Variable("host"), "b", values.Variable("args"))


@given(st.lists(st.sampled_from(["$host", "${uri}", "$arg_x-", "a", "}", "{", "é", " "])))
def test_an_interpolation_loses_no_text(pieces: list[str]) -> None:
    text = " ".join(pieces)
    parts = values.interpolation(text, values.is_request_variable)
    written = "".join(part if isinstance(part, str) else f"${{{part.name}}}" for part in parts)
    assert values.interpolation(written, values.is_request_variable) == parts
    assert written.replace("${", "$").replace("}", "") == text.replace("${", "$").replace("}", "")


ALL = [
    values.boolean,
    values.switch,
    values.integer(0, 9),
    values.size,
    values.seconds,
    values.networks,
    values.choice(Colour),
    values.one_of(1, 2),
    *(parse for parse, _ in BAD),
]


@given(st.sampled_from(ALL), st.text() | st.text("0123456789.:/,kmsh${}-+ \n", max_size=20))
def test_whatever_the_text_is_there_is_a_value_or_a_short_sentence(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError as why:
        said = str(why)
    else:
        said = ""
    assert len(said) < 300
    assert "\n" not in said


def test_the_nearest_name_is_found_or_none() -> None:
    known = ("proxy-body-size", "proxy-buffering")
    assert values.nearest("proxy_body_siez", known) == "proxy-body-size"
    assert values.nearest("zzz", known) == ""
