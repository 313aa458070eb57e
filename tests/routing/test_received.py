from sevengate.routing.received import receive
from sevengate.routing.request import Request
from sevengate.routing.table import ValueSource
from sevengate.routing.template import Template


def test_of_a_header_sent_twice_a_condition_sees_both_values_and_a_template_the_first() -> None:
    received = receive(Request("h.example", headers=(("x-team", "red"), ("x-team", "blue"))))
    assert received.value(ValueSource.HEADER, "X-Team") == "red, blue"
    assert received.text(Template.parse("$http_x_team")) == "red"


def test_a_header_that_is_not_sent_differs_from_an_empty_one_for_conditions_only() -> None:
    received = receive(Request("h.example", headers=(("x-empty", ""),)))
    assert received.value(ValueSource.HEADER, "x-empty") == ""
    assert received.value(ValueSource.HEADER, "x-absent") is None
    assert received.text(Template.parse("$http_x_empty$http_x_absent")) == ""
