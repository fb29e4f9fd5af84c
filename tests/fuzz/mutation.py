"""Damage to bytes and to JSON, drawn from a seed."""

import json
from random import Random
from typing import Any

NUMBERS = [0, 1, -1, 2, 7, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**30]
ODD = [None, True, False, "", "x", "../x", "/etc/passwd", "a\0b", "\udc80", -0.5, 1e308, float("nan"), [], {}, [[]], {"": {}}]


def damaged(content: bytes, rng: Random) -> bytes:
    """Other bytes: flipped, cut, longer, swapped, or numbers that are out of range."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        kind = rng.randrange(8)
        place = rng.randrange(len(made)) if made else 0
        width = rng.choice((1, 2, 4, 8))
        slot = place // width * width
        if kind == 0 and made:
            made[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and made:
            made[place] = rng.randrange(256)
        elif kind == 2:
            del made[rng.randrange(len(made) + 1) :]
        elif kind == 3:
            made[place:place] = rng.randbytes(rng.choice((1, 2, 4, 8, 100)))
        elif kind == 4:
            other = rng.randrange(max(len(made) - width + 1, 1)) // width * width
            made[slot : slot + width], made[other : other + width] = made[other : other + width], made[slot : slot + width]
        elif kind == 5:
            made[slot : slot + width] = (rng.choice(NUMBERS) % 2 ** (8 * width)).to_bytes(width, "little")
        elif kind == 6:
            size = rng.randrange(1, 65)
            made[place : place + size] = bytes([rng.choice((0, 10, 34, 92, 123, 255))]) * len(made[place : place + size])
        else:
            size = rng.randrange(1, 65)
            source = rng.randrange(len(made) + 1)
            piece = made[source : source + size]
            made[place : place + len(piece)] = piece
    return bytes(made)


def same_size(content: bytes, rng: Random) -> bytes:
    """Damage that no size tells of."""
    made = damaged(content, rng)[: len(content)]
    return made + content[len(made) :]


def odd_value(rng: Random, like: Any = None) -> Any:
    """A value that hardly anybody expects."""
    kind = rng.randrange(6)
    if kind == 0 and isinstance(like, int) and not isinstance(like, bool):
        return like + rng.choice((-1, 1, 8, -like * 2))
    if kind <= 2:
        return rng.choice(NUMBERS)
    if kind == 3:
        depth = rng.choice((60, 300, 700))
        return json.loads("[" * depth + "]" * depth)
    return rng.choice(ODD)


def damaged_json(value: Any, rng: Random) -> Any:
    """The same, with one entry somewhere changed, lost, doubled or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        made, name = dict(value), rng.choice(list(value))
        kind = rng.randrange(8)
        if kind == 0:
            del made[name]
        elif kind == 1:
            made[str(rng.choice(["", "../up", "a/b", name + "x", "\udc80"]))] = made.pop(name)
        elif kind == 2:
            made[name] = odd_value(rng, value[name])
        else:
            made[name] = damaged_json(value[name], rng)
        return made
    if isinstance(value, list) and value and rng.random() < 0.85:
        made_list, place = list(value), rng.randrange(len(value))
        kind = rng.randrange(6)
        if kind == 0:
            del made_list[place]
        elif kind == 1:
            made_list *= min(rng.choice((2, 100)), 1 + 100_000 // len(repr(made_list)))  # a list of lists would fill the memory
        else:
            made_list[place] = damaged_json(value[place], rng)
        return made_list
    return odd_value(rng, value)
