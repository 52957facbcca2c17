"""Streams cut into shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")


def cut(items: Iterable[Item], size: int) -> Iterator[Iterator[Item]]:
    """Cut a stream into streams of `size` items; each is to be consumed before the next.

    >>> [list(shard) for shard in cut("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    stream = iter(items)
    for first in stream:
        yield chain((first,), islice(stream, size - 1))
