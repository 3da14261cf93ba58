"""
TypeIDs: a type prefix and a UUIDv7 in base32, 26 characters, sorting by time.

Pure: the time and the randomness are handed in, so that the engine can name
what it makes and still give the same answer to the same arguments.
"""

from collections.abc import Callable
from hashlib import blake2b

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def typeid(prefix: str, at: int, entropy: bytes) -> str:
    """
    Return `<prefix>_<26 characters>`.

    Shape:   *at* in microseconds since the epoch, UTC; *entropy* at least 10 bytes.
    Source:  TypeID 0.3 over RFC 9562 UUIDv7.
    """
    rand = int.from_bytes(entropy[:10], "big")
    value = (
        ((at // 1000) & 0xFFFF_FFFF_FFFF) << 80
        | 0x7 << 76
        | (rand >> 62 & 0xFFF) << 64
        | 0b10 << 62
        | (rand & 0x3FFF_FFFF_FFFF_FFFF)
    )
    # 130 bits are 13 pairs of base32 digits; the two highest bits are zero.
    return f"{prefix}_" + "".join([_PAIRS[value >> shift & 0x3FF] for shift in range(120, -1, -10)])


def made_at(id: str) -> int | None:
    """Return when an id was made, in microseconds since the epoch (to the millisecond), or None for no id."""
    digits = [_ALPHABET.find(letter) for letter in id.rpartition("_")[2]]
    if len(digits) != 26 or -1 in digits or digits[0] > 7:
        return None
    # The first ten digits are the first 50 bits, of which two are zero and 48 the time.
    value = 0
    for digit in digits[:10]:
        value = value << 5 | digit
    return value * 1000


def derived(prefix: str, at: int, seed: bytes, n: int) -> str:
    """Return the *n*-th id that comes from one *seed* of 16 random bytes."""
    return typeid(prefix, at, blake2b(seed + n.to_bytes(4, "big"), digest_size=10).digest())


class Ascending:
    """Ids of one prefix, each above the last, also within a millisecond and when the clock steps back."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._ms = -1
        self._head = ""
        self._count = 0

    def next(self, at: int, entropy: Callable[[], bytes]) -> str:
        """
        Return the next id.

        Shape:   *at* in microseconds since the epoch, UTC; *entropy* is asked once a millisecond:
                 within one, the last four characters count.
        """
        ms = at // 1000
        if ms > self._ms or self._count == 0xF_FFFF:
            self._ms = max(ms, self._ms + 1)
            self._head = typeid(self._prefix, self._ms * 1000, entropy())[:-4]
            self._count = 0
        else:
            self._count += 1
        return self._head + _PAIRS[self._count >> 10] + _PAIRS[self._count & 0x3FF]
