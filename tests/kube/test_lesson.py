"""The Ingresses of the lesson as old tutorials write them ask, when rewritten, for what those of today ask."""

from pathlib import Path

import msgspec
import pytest

from sevengate.kube import manifest
from sevengate.kube.objects import Ingress, PathType
from sevengate.kube.rewriting import rewrite

LESSON = Path(__file__).parents[2] / "examples" / "lesson"


def ingress(text: str) -> Ingress:
    (found,) = [one.object for one in manifest.read(text, "a.yaml").definitions if isinstance(one.object, Ingress)]
    return found


def wish(one: Ingress) -> object:
    """Give what an Ingress asks for, but for how it names its class and the type of its paths."""
    return [
        (rule.host, [path and msgspec.structs.replace(path, path_type=PathType.PREFIX) for path in rule.paths or ()])
        for rule in one.rules
    ]


@pytest.mark.parametrize("old", sorted((LESSON / "old").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_old_ingress_of_the_lesson_asks_for_the_same_once_it_is_rewritten(old: Path) -> None:
    rewriting = rewrite(old.read_text(encoding="utf-8"), old.name)
    assert rewriting.count == 1
    today = ingress((LESSON / old.name).read_text(encoding="utf-8"))
    assert wish(ingress(rewriting.text)) == wish(today)
    assert today.ingress_class_name == ingress(rewriting.text).metadata.annotations["kubernetes.io/ingress.class"]
