"""Every setting and flag of the tables is carried out: a knob that turns nothing is worse than none."""

import ast

import pytest

from sevengate.settings import Options, Settings
from tests.house.sources import PACKAGE, modules, tree

#: Its only value is what is so anyway.
IDLE = {"allow_snippet_annotations"}


def read_attributes() -> set[str]:
    return {
        node.attr
        for module in modules()
        if module != PACKAGE / "settings.py"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("knobs", [Settings, Options])
def test_every_knob_is_read_somewhere(knobs: type[Settings | Options]) -> None:
    assert set(knobs.__struct_fields__) - read_attributes() - IDLE == set()
