import pytest

from sevengate.routing.template import Template, Variable


def test_a_template_is_literals_and_variables() -> None:
    assert Template.parse("https://$host/a?${args}").parts == ("https://", Variable("host"), "/a?", Variable("args"))


def test_a_template_is_written_so_that_it_reads_the_same() -> None:
    template = Template.parse("$arg_a-b$cookie_c")
    assert str(template) == "${arg_a}-b${cookie_c}"
    assert Template.parse(str(template)) == template


def test_an_empty_template_is_false() -> None:
    assert not Template.parse("")
    assert Template.parse("$uri")


@pytest.mark.parametrize("text", ["$", "$$uri", "$nope", "${uri", "${}", "$arg_", "$1", "a$-b"])
def test_a_dollar_without_a_known_variable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a variable that can be used here"):
        Template.parse(text)
