r"""The regular expressions that users may write: the dialect in which PCRE and Python's re mean the same.

A pattern runs twice: as PCRE in the data plane (ngx.re without UTF mode, caseless) and as Python's re on bytes in the
reference matcher. The scanner here takes what both understand alike and refuses the rest with a sentence about it:
literals, `.`, `^`, `$`, classes, `\d \w \s \b` and their like, alternatives, groups (capturing, named, `(?:...)`),
look-around, back references, greedy and lazy quantifiers, possessive ones after a single character, and the inline
flags i, m and s. What it gives is the same pattern in Python's spelling. Matching is left to match.py, and limits on
the time a pattern may take are the data plane's (lua_regex_match_limit).
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

MAX_LENGTH: Final = 4096
#: PCRE nests to 250 and repeats to 65535; nobody needs that, and repeats of repeats would outgrow its 64 kB a pattern.
_MAX_DEPTH: Final = 50
_MAX_REPEAT: Final = 1000
_MAX_WEIGHT: Final = 30_000
#: What a class or a group adds to the size of PCRE's compiled pattern, in bytes, rounded up.
_CLASS_WEIGHT: Final = 35
_GROUP_WEIGHT: Final = 12

_CLASS_LETTERS: Final = frozenset("dDwWsS")
_CONTROL_LETTERS: Final = frozenset("tnrf")
_ANCHORS: Final = {"A": r"\A", "b": r"\b", "z": r"\Z", "Z": r"(?=\n?\Z)"}
_REFUSED_ESCAPES: Final = {
    "K": r"\K (forget what was matched)",
    "h": r"\h (write [ \t])",
    "H": r"\H (write [^ \t])",
    "R": r"\R (write \r?\n)",
    "v": r"\v (write [\n\x0b\f\r])",
    "p": r"\p (Unicode properties)",
    "P": r"\P (Unicode properties)",
    "Q": r"\Q...\E (escape the characters one by one)",
    "k": r"\k (write the group's number: \1)",
    "g": r"\g (write the group's number: \1)",
    "B": r"\B (not a word boundary)",
}
_REFUSED_GROUPS: Final = {
    "R": "recursion",
    "&": "recursion",
    "+": "recursion",
    "(": "a conditional group",
    "C": "a callout",
    "|": "a branch reset group",
    "#": "a comment",
    ">": "an atomic group",
    "'": "a group named in quotes (write (?<name>...))",
    "P": r"a reference by name (write the group's number: \1)",
    **dict.fromkeys("0123456789", "recursion"),
}
_LOOKS: Final = ("?=", "?!", "?<=", "?<!")

_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d{1,5})(?:(,)(\d{0,5}))?\})([?+]?)", re.ASCII)
_NAMED = re.compile(r"\?P?<([A-Za-z_]\w{0,31})>", re.ASCII)
_FLAGS = re.compile(r"\?([ims]*)(?:-([ims]+))?([:)])")
_HEX = re.compile(r"x[0-9A-Fa-f]{2}")


class _Piece(msgspec.Struct, frozen=True, gc=False):
    """A scanned part: its text for Python, what it may match, and about how many bytes PCRE needs for it."""

    text: str
    weight: int
    empty: bool = False
    single: bool = False
    repeatable: bool = True


def check(pattern: str) -> None:
    """Raise a ValueError that says what is wrong, or what is not supported, if this is no pattern of the dialect."""
    compile_bytes(pattern)


@lru_cache(maxsize=8192)
def compile_bytes(pattern: str) -> re.Pattern[bytes]:
    """Give the pattern for Python, on the bytes of UTF-8 text, caseless in ASCII; raise ValueError as `check` does."""
    _check_text(pattern)
    try:
        return re.compile(_Scanner(pattern).translation().encode(), re.IGNORECASE)
    except re.error as error:
        # Its message may quote our translation's positions: they would be wrong in the user's pattern.
        raise ValueError(f"the regular expression is not valid: {error.msg}") from None


def _check_text(pattern: str) -> None:
    if not pattern:
        raise ValueError("the regular expression is empty")
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"the regular expression is longer than {MAX_LENGTH} characters")
    if any(character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff" for character in pattern):
        raise ValueError("the regular expression holds a control character")


class _Scanner:
    """Walks a pattern once, from left to right, and spells it for Python."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._looking = ""

    def translation(self) -> str:
        """Give the whole pattern in Python's spelling."""
        piece = self._alternatives()
        if self._at < len(self._pattern):
            raise self._refusal('a ")" closes no group')
        return piece.text

    def _alternatives(self) -> _Piece:
        branches = [self._branch()]
        while self._take("|"):
            branches.append(self._branch())
        return _Piece(
            text="|".join(branch.text for branch in branches),
            weight=sum(branch.weight + 3 for branch in branches),
            empty=any(branch.empty for branch in branches),
        )

    def _branch(self) -> _Piece:
        pieces: list[_Piece] = []
        while self._at < len(self._pattern) and self._peek() not in "|)":
            pieces.append(self._quantified(self._atom()))
        weight = sum(piece.weight for piece in pieces)
        self._bound(weight)
        return _Piece("".join(piece.text for piece in pieces), weight, all(piece.empty for piece in pieces))

    def _atom(self) -> _Piece:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in "^$":
            return _Piece(character, 1, empty=True, repeatable=False)
        if character == ".":
            return _Piece(".", 1, single=True)
        if character in "*+?":
            raise self._refusal(f'there is nothing before the "{character}" that could be repeated')
        if character == "{":
            raise self._refusal(r'a "{" begins no number of repetitions here (write \{ for the character)')
        return _Piece(re.escape(character), 2 * len(character.encode()), single=character.isascii())

    def _quantified(self, atom: _Piece) -> _Piece:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if not found:
            return atom
        if not atom.repeatable:
            raise self._refusal(f'there is nothing before the "{found[0]}" that could be repeated')
        if not atom.single and (found[4] == "+" or not atom.text.startswith("(")):
            raise self._refusal(f'"{found[0]}" may only follow a single ASCII character or a class')
        if atom.empty and "<" in self._looking:
            raise self._refusal("a look-behind needs a fixed length, so nothing that may be empty is repeated in it")
        if atom.empty and found[0] not in ("?", "??"):
            raise self._refusal("a group that is repeated can match nothing, and engines differ in what it captures")
        self._at = found.end()
        least, copies = self._repetitions(found)
        return _Piece(atom.text + found[0], atom.weight * copies + 3, empty=atom.empty or not least, repeatable=False)

    def _repetitions(self, found: re.Match[str]) -> tuple[int, int]:
        """Give the least number of repetitions, and how many copies of the atom PCRE writes into its program."""
        if not found[1]:
            return int(found[0][0] == "+"), 1
        least = int(found[1])
        most = int(found[3] or max(least, 1)) if found[2] else least
        if not least <= most <= _MAX_REPEAT or not most:
            raise self._refusal(f'"{found[0]}" is not a number of repetitions from 1 to {_MAX_REPEAT}')
        return least, most

    def _escape(self) -> _Piece:
        letter = self._next("a backslash ends the pattern")
        if letter in _CLASS_LETTERS:
            return _Piece("\\" + letter, 2, single=True)
        if letter in _ANCHORS:
            return _Piece(_ANCHORS[letter], 2, empty=True, repeatable=False)
        if letter in "123456789":
            return self._back_reference(letter)
        return _Piece(self._escaped_character(letter), 2, single=True)

    def _escaped_character(self, letter: str) -> str:
        if letter in _CONTROL_LETTERS:
            return "\\" + letter
        if found := _HEX.match(self._pattern, self._at - 1):
            self._at = found.end()
            return "\\" + found[0]
        if not letter.isascii() or letter.isalnum():
            raise self._refusal(f"{_REFUSED_ESCAPES.get(letter, chr(92) + letter)} is not supported")
        return re.escape(letter)

    def _back_reference(self, digit: str) -> _Piece:
        if self._at < len(self._pattern) and self._peek() in "0123456789":
            raise self._refusal("a back reference beyond \\9 is not supported")
        if "<" in self._looking:
            raise self._refusal("a back reference cannot stand in a look-behind")
        return _Piece(f"(?:\\{digit})", 3, empty=True)

    def _group(self) -> _Piece:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._refusal(f"groups are nested deeper than {_MAX_DEPTH}")
        for look in _LOOKS:
            if self._take(look):
                return self._look(look)
        opening = self._opening()
        if opening.endswith(")"):
            return self._rest_with_flags(opening)
        return self._closed(opening)

    def _opening(self) -> str:
        """Give what follows the "(" in Python's spelling: nothing, a name, or flags."""
        if self._at >= len(self._pattern) or self._peek() != "?":
            return self._capturing("")
        if found := _NAMED.match(self._pattern, self._at):
            self._at = found.end()
            return self._capturing(f"?P<{found[1]}>")
        if found := _FLAGS.match(self._pattern, self._at):
            self._at = found.end()
            return found[0]
        kind = self._pattern[self._at + 1 : self._at + 2]
        raise self._refusal(f"{_REFUSED_GROUPS.get(kind, f'a group that begins with (?{kind}')} is not supported")

    def _capturing(self, opening: str) -> str:
        if self._looking:
            raise self._refusal("a group in a look-around cannot capture (write (?:...))")
        if self._at < len(self._pattern) and self._peek() == "*":
            raise self._refusal("a backtracking verb (*...) is not supported")
        return opening

    def _look(self, look: str) -> _Piece:
        before, self._looking = self._looking, self._looking + look
        piece = self._closed(look)
        self._looking = before
        return _Piece(piece.text, piece.weight, empty=True, repeatable=False)

    def _rest_with_flags(self, opening: str) -> _Piece:
        """Make a group of what flags without a group of their own hold for: all up to the end of the group around."""
        self._depth -= 1
        rest = self._branch()
        if self._at < len(self._pattern) and self._peek() == "|":
            raise self._refusal(f"({opening} is followed by alternatives (write ({opening[:-1]}:...))")
        flags = opening[1:-1]
        text = f"(?{flags}:{rest.text})" if flags else rest.text
        return _Piece(text, rest.weight + _GROUP_WEIGHT, rest.empty, repeatable=False)

    def _closed(self, opening: str) -> _Piece:
        piece = self._alternatives()
        if not self._take(")"):
            raise self._refusal('a ")" is missing')
        self._depth -= 1
        return _Piece(f"({opening}{piece.text})", piece.weight + _GROUP_WEIGHT, piece.empty)

    def _class(self) -> _Piece:
        start = self._at
        negated = "^" if self._take("^") else ""
        members: list[str] = []
        while not members or self._peek("a class is not closed by a ]") != "]":
            members.append(self._range())
        inside = self._pattern[start : self._at]
        if len(inside) > 1 and inside[0] == inside[-1] and inside[0] in ":.=":
            raise self._refusal("PCRE takes a class that begins and ends with the same of :.= for a POSIX class")
        self._at += 1
        return _Piece(f"[{negated}{''.join(members)}]", _CLASS_WEIGHT, single=True)

    def _range(self) -> str:
        first = self._member()
        # A hyphen before the closing bracket is itself.
        if not self._pattern.startswith("-", self._at) or self._pattern.startswith("-]", self._at):
            return first
        self._at += 1
        last = self._member()
        if first == r"\-":
            raise self._refusal("a hyphen in a class stands first, last, or after a range")
        if {first[1:], last[1:]} & _CLASS_LETTERS:
            raise self._refusal("a range in a class begins or ends with a class")
        return f"{first}-{last}"

    def _member(self) -> str:
        character = self._next("a class is not closed by a ]")
        if character == "[" and self._at < len(self._pattern) and self._peek() in ":.=":
            raise self._refusal("POSIX classes such as [:alpha:] are not supported")
        if not character.isascii():
            raise self._refusal("a class holds a character that is not ASCII (write alternatives)")
        if character != "\\":
            return re.escape(character)
        letter = self._next("a backslash ends the pattern")
        return "\\" + letter if letter in _CLASS_LETTERS or letter == "b" else self._escaped_character(letter)

    def _bound(self, weight: int) -> None:
        if weight > _MAX_WEIGHT:
            raise self._refusal("the regular expression is too large once its repetitions are written out")

    def _peek(self, missing: str = "") -> str:
        if self._at >= len(self._pattern):
            raise self._refusal(missing)
        return self._pattern[self._at]

    def _next(self, missing: str = "") -> str:
        character = self._peek(missing)
        self._at += 1
        return character

    def _take(self, text: str) -> bool:
        taken = self._pattern.startswith(text, self._at)
        if taken:
            self._at += len(text)
        return taken

    def _refusal(self, why: str) -> ValueError:
        return ValueError(f"the regular expression is refused at character {self._at + 1}: {why}")
