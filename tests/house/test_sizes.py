"""Files and functions stay small enough to be read at one sitting."""

from collections.abc import Callable
from statistics import median, quantiles

from tests.house.sources import LUA, functions, length, modules, shown

LONGEST_FUNCTION = 60
LONGEST_FILE = 600
USUAL_FILE = 400


def lines(path_text: str) -> int:
    return path_text.count("\n")


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{shown(module)}:{function.lineno} {function.name}: {length(function)} lines"
        for module in modules()
        for function in functions(module)
        if length(function) > LONGEST_FUNCTION
    ]
    assert long == []


def test_half_of_the_functions_are_short_and_nine_in_ten_moderate(
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    lengths = [length(function) for module in modules() for function in functions(module)]
    middle, ninth_decile = median(lengths), quantiles(lengths, n=10)[-1]
    record_testsuite_property("function length, median", middle)
    record_testsuite_property("function length, ninth decile", ninth_decile)
    assert middle <= 12
    assert ninth_decile <= 40


def test_files_are_mostly_short_and_never_long() -> None:
    sizes = {shown(path): lines(path.read_text(encoding="utf-8")) for path in [*modules(), *LUA.rglob("*.lua")]}
    assert {path: size for path, size in sizes.items() if size > LONGEST_FILE} == {}
    assert sum(size > USUAL_FILE for size in sizes.values()) <= len(sizes) / 10
