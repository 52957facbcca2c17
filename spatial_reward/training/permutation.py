"""A permutation of row numbers that needs no memory and no state: any place of any epoch can be computed."""

from __future__ import annotations

from hashlib import blake2b

_ROUNDS = 8  # four make a Feistel network pseudorandom; small domains need more
_MIX = 0x9E3779B97F4A7C15  # odd, as irregular as 64 bits can be


class Permutation:
    """A pseudorandom order of the numbers below `count`: a keyed Feistel network with cycle walking.

    Args:
        count: How many numbers.
        key: Integers that choose the order, such as a seed and an epoch.

    Raises:
        ValueError: If there are no numbers.

    >>> sorted(map(Permutation(10, 0, 3), range(10))) == list(range(10))
    True
    """

    def __init__(self, count: int, *key: int) -> None:
        """Derive the keys of the rounds."""
        if count < 1:
            raise ValueError(f"`count` must be at least 1, got {count}.")
        self.count = count
        self._bits = max(1, ((count - 1).bit_length() + 1) // 2)  # of each half
        digest = blake2b(repr(key).encode(), digest_size=8 * _ROUNDS).digest()
        self._keys = [int.from_bytes(digest[8 * n : 8 * n + 8], "little") for n in range(_ROUNDS)]

    def __call__(self, place: int) -> int:
        """Return the number at a place.

        Raises:
            IndexError: If there is no such place.
        """
        if not 0 <= place < self.count:
            raise IndexError(f"Place {place} is not within 0..{self.count - 1}.")
        number = self._enciphered(place)
        while number >= self.count:  # the network permutes up to four times as many numbers
            number = self._enciphered(number)
        return number

    def _enciphered(self, number: int) -> int:
        low = (1 << self._bits) - 1
        left, right = number >> self._bits, number & low
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & low)
        return left << self._bits | right


def _mixed(value: int) -> int:
    """Scatter 64 bits (the finaliser of splitmix64)."""
    value = (value + _MIX) & 0xFFFFFFFFFFFFFFFF
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    value = (value ^ value >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 31
