"""
TypeIDs: a type prefix and a UUIDv7 in base32, 26 characters, sorting by time.

Pure: the time and the randomness are handed in, so that the engine can name
what it makes and still give the same answer to the same arguments.
"""

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


def derived(prefix: str, at: int, seed: bytes, n: int) -> str:
    """Return the *n*-th id that comes from one *seed* of 16 random bytes."""
    return typeid(prefix, at, blake2b(seed + n.to_bytes(4, "big"), digest_size=10).digest())


class Ascending:
    """Ids of one prefix, each above the last, also within a millisecond and when the clock steps back."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._at = 0
        self._random = 0

    def next(self, at: int, entropy: bytes) -> str:
        """Return the next id; *at* and *entropy* as in `typeid`."""
        if at // 1000 > self._at // 1000:
            self._at = at
            # The highest of the 74 random bits stays free, so that counting on cannot overflow.
            self._random = int.from_bytes(entropy[:10], "big") & ((1 << 73) - 1)
        else:
            self._random += 1
        return typeid(self._prefix, self._at, self._random.to_bytes(10, "big"))
