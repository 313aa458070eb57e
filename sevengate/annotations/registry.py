"""Annotations -> Wishes.

It takes the annotations of one Ingress, passes over those of other prefixes, reads the others by the table of
catalogue.py, and has the families make Wishes of what was asked for. A value that cannot be read is left out, unless it
guards: then the routes are closed. Equal annotations give equal Wishes, so each distinct set is read once; what is
wrong with them is said again for each Ingress that has them.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from sevengate import values
from sevengate.annotations import access, balancing, canaries, proxying, redirects, rewriting, unsupported
from sevengate.annotations.catalogue import BY_NAME, KNOWN
from sevengate.annotations.rows import Asked
from sevengate.annotations.wishes import Canary, Wishes
from sevengate.diagnostics import Diagnostic, Report, Severity, Where
from sevengate.routing.policies import Closed
from sevengate.settings import Settings

#: What a closed route answers, as ingress-nginx does for a location that it denies.
_CLOSED: Final = 503


def read(annotations: Mapping[str, str], settings: Settings, prefix: str, where: Where, report: Report) -> Wishes:
    """Read the annotations of one Ingress that stand under `prefix`; `where` is the Ingress."""
    start = f"{prefix}/"
    asked = tuple(item for item in annotations.items() if item[0].startswith(start))
    wishes, findings = _read(asked, settings, start)
    if findings:
        report.extend(msgspec.structs.replace(found, where=where.at(found.where.field)) for found in findings)
    return wishes


@lru_cache(maxsize=4096)
def _read(items: tuple[tuple[str, str], ...], settings: Settings, start: str) -> tuple[Wishes, tuple[Diagnostic, ...]]:
    texts = {key.removeprefix(start): text.strip(values.BLANKS) for key, text in items}
    canary = canaries.is_canary(texts.get(canaries.CANARY.name, ""))
    reader = _Reader(texts, start)
    for name in texts:
        if canary and name in KNOWN and name not in canaries.COUNTING:
            reader.pass_over(name)
        else:
            reader.take(name)
    wishes = _of_canary(reader.asked, settings) if canary else _of_main(reader.asked, settings)
    return wishes, tuple(reader.asked.findings)


class _Reader:
    """Sorts the annotations of one Ingress into rows, names that are not carried out, and names that nobody knows."""

    def __init__(self, texts: Mapping[str, str], start: str) -> None:
        self._texts = texts
        self._start = start
        self.asked = Asked()

    def take(self, name: str) -> None:
        """Read one annotation, or say why not."""
        text, key = self._texts[name], self._start + name
        if (row := BY_NAME.get(name)) is None:
            self._take_unread(name, text, key)
        elif name != row.name and row.name in self._texts:
            message = f"{name} has no effect: {row.name} goes before it"
            self.asked.find(Severity.WARNING, "annotation/no-effect", key, message)
        else:
            self.asked.take(row, key, text)

    def pass_over(self, name: str) -> None:
        """Say that an annotation of a canary does not count; what guards in vain closes it."""
        key = self._start + name
        if unsupported.guards(name, self._texts[name]):
            self.asked.close(key, _guards_in_vain(name), "the canary gets no requests")
            return
        row = BY_NAME.get(name)
        severity = Severity.WARNING if row and row.guards else Severity.NOTICE
        message = f"{name} has no effect on a canary: the main Ingress's counts"
        self.asked.find(severity, "annotation/no-effect", key, message)

    def _take_unread(self, name: str, text: str, key: str) -> None:
        if unsupported.guards(name, text):
            self.asked.close(key, _guards_in_vain(name))
        elif name in unsupported.NAMES:
            message = f"{name} is not carried out yet"
            self.asked.find(Severity.WARNING, "annotation/unsupported", key, message)
        else:
            nearest = values.nearest(name, KNOWN)
            hint = f"did you mean {self._start}{nearest}?" if nearest else ""
            message = f"No annotation {values.shown(name)} is known"
            self.asked.find(Severity.WARNING, "annotation/unknown", key, message, hint)


def _of_main(asked: Asked, settings: Settings) -> Wishes:
    canaries.without_canary(asked)
    return Wishes(
        closed=_closed(asked, settings),
        redirect=redirects.redirect(asked),
        ssl_redirect=asked.of(redirects.SSL_REDIRECT, settings.ssl_redirect),
        force_ssl_redirect=asked.of(redirects.FORCE_SSL_REDIRECT, settings.force_ssl_redirect),
        app_root=asked.of(redirects.APP_ROOT, ""),
        rewrite_target=asked.of(rewriting.REWRITE_TARGET, ""),
        use_regex=asked.of(rewriting.USE_REGEX, default=False),
        x_forwarded_prefix=asked.of(rewriting.X_FORWARDED_PREFIX, ""),
        upstream_host=asked.of(rewriting.UPSTREAM_VHOST, ""),
        timeouts=proxying.timeouts(asked, settings),
        balance=balancing.balance(asked, settings),
        addresses=access.address_rules(asked, settings),
        profile=proxying.profile(asked, settings),
        service_upstream=asked.of(proxying.SERVICE_UPSTREAM, settings.service_upstream),
        affinity_canary_sticky=balancing.keeps_side_of_canary(asked),
    )


def _of_canary(asked: Asked, settings: Settings) -> Wishes:
    return Wishes(
        closed=_closed(asked, settings),
        balance=balancing.balance(asked, settings),
        profile=proxying.profile(asked, settings),
        timeouts=proxying.timeouts(asked, settings),
        service_upstream=asked.of(proxying.SERVICE_UPSTREAM, settings.service_upstream),
        canary=canaries.canary(asked) if not asked.closed else Canary(),
        affinity_canary_sticky=balancing.keeps_side_of_canary(asked),
    )


def _guards_in_vain(name: str) -> str:
    return f"{name} may guard access and is not carried out yet"


def _closed(asked: Asked, settings: Settings) -> Closed | None:
    reasons = [*asked.closed, *filter(None, [settings.closed_reason])]
    return Closed(_CLOSED, "; ".join(reasons)) if reasons else None
