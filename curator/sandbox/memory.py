"""Arrange the memory of a zygote so that its forks copy less of it.

In: an interpreter that has loaded everything, with one thread. Out: the same interpreter. Nothing
here changes what a program can do or see, except for object addresses. Where the kernel or the
allocator works differently, forks only take longer.
"""

import ctypes
import os
import sys

_HUGE_PAGE = 2 << 20
_COLLAPSE = 25
"""MADV_COLLAPSE, Linux 6.1."""

_POOL, _POOL_HEADER = 1 << 14, 48
"""Sizes of a pool of Python's allocator and of its header."""
_LARGEST = 512
"""Size of the largest objects in pools."""
_BYTES_HEADER = sys.getsizeof(b"")

_fillers: list[object] = []


def join_pages(maps: int) -> None:
    """Join small pages into huge ones, which a fork does not copy or free one by one.

    Takes a descriptor of /proc/self/maps.
    """
    madvise = ctypes.PyDLL(None).madvise
    lines = b"".join(iter(lambda: os.read(maps, 1 << 16), b"")).splitlines()
    for area, rights, _, _, _, *name in map(bytes.split, lines):
        if rights == b"rw-p" and name in ([], [b"[heap]"]):
            start, end = (int(address, 16) for address in area.split(b"-"))
            start = -(-start // _HUGE_PAGE) * _HUGE_PAGE
            size = end // _HUGE_PAGE * _HUGE_PAGE - start
            if size > 0:
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _COLLAPSE)


def start_pools() -> None:
    """Fill what is free in the pools, for all sizes of objects.

    The next object of each size then lies on the first page of a new pool, which is also the page
    of its header: one page less to copy in each fork.
    """
    for size in range(32, _LARGEST + 1, 16):
        for number in range(2 * _POOL // size):
            filler = bytes(size - _BYTES_HEADER) if size >= 48 else number / 2
            _fillers.append(filler)
            if id(filler) % _POOL == _POOL_HEADER:
                break
