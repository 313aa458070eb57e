"""The tests mirror the house: each room has its tests, and each folder of tests is a room's."""

from tests.house.sources import PACKAGE, ROOT

TESTS = ROOT / "tests"
NO_ROOMS = {"contract", "deploy", "golden", "features", "house"}


def folders_with_python(parent_name: str) -> set[str]:
    parent = ROOT / parent_name
    return {folder.name for folder in parent.iterdir() if folder.is_dir() and any(folder.glob("*.py"))}


def test_every_room_has_tests_of_its_own() -> None:
    rooms = folders_with_python("sevengate")
    tested = {room for room in rooms if any((TESTS / room).rglob("test_*.py")) or any(TESTS.glob(f"test_{room}*.py"))}
    assert rooms - tested == set()


def test_every_module_on_the_ground_floor_has_a_test_file() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert {module for module in modules if not any(TESTS.glob(f"test_{module}*.py"))} == set()


def test_every_folder_of_tests_belongs_to_a_room() -> None:
    rooms = folders_with_python("sevengate")
    assert folders_with_python("tests") - NO_ROOMS - rooms == set()
