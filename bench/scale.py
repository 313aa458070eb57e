"""How much is measured: FULL is what the bars speak of, QUICK shows in seconds that the bench itself works."""

from typing import Final

import msgspec


class Scale(msgspec.Struct, frozen=True):
    """`hosts` Ingresses; `rounds` of `seconds` of load or of `handshakes`; `changes` made one after another."""

    hosts: int
    rounds: int
    seconds: int
    changes: int
    handshakes: int


#: Paths of each host.
PATHS: Final = 5

FULL: Final = Scale(hosts=10_000, rounds=15, seconds=1, changes=50, handshakes=1_000)
QUICK: Final = Scale(hosts=100, rounds=1, seconds=1, changes=3, handshakes=20)
