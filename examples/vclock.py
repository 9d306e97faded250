#!/usr/bin/env python3
"""Vector clocks of the library in Python, by ctypes and nothing else.

    vclock.py [LIBRARY]

LIBRARY is the shared library, libgossip.so.0 unless it is given.
"""

import ctypes
import sys


class Struct(ctypes.Structure):
    """struct gossip_vclock. Of all zero bytes it is valid and empty."""

    _fields_ = [("authors", ctypes.POINTER(ctypes.c_uint32)),
                ("counters", ctypes.POINTER(ctypes.c_uint64)),
                ("count", ctypes.c_size_t), ("capacity", ctypes.c_size_t)]


NAME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p,
                        ctypes.c_size_t)
CLOCK = ctypes.POINTER(Struct)
ERR_NOT_FOUND = -4
ERR_INVALID = -2


def load(name):
    """The library, with the types of what is used of it."""
    library = ctypes.CDLL(name)
    for function, result, *arguments in [
            ("gossip_strerror", ctypes.c_char_p, ctypes.c_int),
            ("gossip_relation_name", ctypes.c_char_p, ctypes.c_int),
            ("gossip_vclock_clear", None, CLOCK),
            ("gossip_vclock_get", ctypes.c_uint64, CLOCK, ctypes.c_uint32),
            ("gossip_vclock_set", ctypes.c_int, CLOCK, ctypes.c_uint32, ctypes.c_uint64),
            ("gossip_vclock_merge", ctypes.c_int, CLOCK, CLOCK),
            ("gossip_vclock_compare", ctypes.c_int, CLOCK, CLOCK),
            ("gossip_vclock_to_text", ctypes.c_int, CLOCK, NAME, ctypes.c_void_p,
             ctypes.POINTER(ctypes.c_void_p))]:
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


class Clock:
    """A clock over the names of authors, which the library knows as numbers."""

    names = []

    def __init__(self, library, **counters):
        self.library = library
        self.struct = Struct()
        for name, counter in counters.items():
            if name not in self.names:
                self.names.append(name)
            self.check(library.gossip_vclock_set(self.struct, self.names.index(name), counter))

    def __del__(self):
        self.library.gossip_vclock_clear(self.struct)

    def check(self, result):
        if result < 0:
            raise ValueError(self.library.gossip_strerror(result).decode())

    def merge(self, other):
        self.check(self.library.gossip_vclock_merge(self.struct, other.struct))

    def relation(self, other):
        relation = self.library.gossip_vclock_compare(self.struct, other.struct)
        return self.library.gossip_relation_name(relation).decode()

    def __str__(self):
        text = ctypes.c_void_p()

        def write_name(_, author, buffer, size):
            if author >= len(self.names):
                return ERR_NOT_FOUND
            name = self.names[author].encode()
            if len(name) + 1 > size:
                return ERR_INVALID
            ctypes.memmove(buffer, name + b"\0", len(name) + 1)
            return len(name)

        self.check(self.library.gossip_vclock_to_text(self.struct, NAME(write_name), None, text))
        result = ctypes.string_at(text).decode()
        free(text)  # The text is ours.
        return result


libc = ctypes.CDLL(None)
free = libc.free
free.argtypes = [ctypes.c_void_p]
free.restype = None


def main():
    library = load(sys.argv[1] if len(sys.argv) > 1 else "libgossip.so.0")
    placed = Clock(library, c=1)
    cancelled = Clock(library, c=2, r=1)
    prepared = Clock(library, c=1, r=2)
    print(f"{placed} is {placed.relation(cancelled)} {cancelled}")
    print(f"{cancelled} is {cancelled.relation(prepared)} with {prepared}")
    cancelled.merge(prepared)
    print(f"together: {cancelled}")
    try:
        Clock(library, c=2**62 + 1)
    except ValueError as error:
        print(f"2^62 + 1: {error}")


if __name__ == "__main__":
    main()
