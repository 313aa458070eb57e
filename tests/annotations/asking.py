"""Asks the registry for one Ingress's Wishes; names are written with `_` for `-`, and without the prefix."""

from sevengate.annotations.registry import read
from sevengate.annotations.wishes import Wishes
from sevengate.diagnostics import Diagnostic, ObjectRef, Report, Where
from sevengate.settings import Settings

PREFIX = "nginx.ingress.kubernetes.io"
SHOP = Where(ObjectRef("Ingress", "default", "shop"))


def ask(settings: Settings | None = None, /, **annotations: str) -> tuple[Wishes, tuple[Diagnostic, ...]]:
    """Give the Wishes and what was complained about."""
    report = Report()
    full = {f"{PREFIX}/{name.replace('_', '-')}": text for name, text in annotations.items()}
    return read(full, settings or Settings(), PREFIX, SHOP, report), report.done()


def wish(settings: Settings | None = None, /, **annotations: str) -> Wishes:
    """Give the Wishes; nothing may be complained about."""
    wishes, found = ask(settings, **annotations)
    assert not found
    return wishes
