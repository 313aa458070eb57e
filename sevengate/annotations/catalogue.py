"""All rows of all families, and the one name that each of them goes by."""

from typing import Any, Final

from sevengate.annotations import access, balancing, canaries, proxying, redirects, rewriting, unsupported
from sevengate.annotations.rows import Annotation

ANNOTATIONS: Final[tuple[Annotation[Any], ...]] = (
    *rewriting.ROWS,
    *redirects.ROWS,
    *proxying.ROWS,
    *balancing.ROWS,
    *access.ROWS,
    *canaries.ROWS,
)

#: Names and aliases, without the prefix.
BY_NAME: Final = {name: row for row in ANNOTATIONS for name in (row.name, *row.aliases)}

#: Every name that is known, for hints; sorted, so that the hint does not change from run to run.
KNOWN: Final = tuple(sorted({*BY_NAME, *unsupported.NAMES}))
