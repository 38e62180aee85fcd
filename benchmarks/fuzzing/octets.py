"""Damage to a file that knows nothing of its structure."""

from __future__ import annotations

import random

INSERTS = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\x1b[2J", b"\xc2\x9b", b"\r", b"\r\n", b"\n", b"\t", b" ", b":", b"-",
    b'"', b"'",
    b"{", b"}", b"[", b"]", b",", b"&a ", b"*a", b"!!int ", b"<<: ", b"\n---\n", b"\n...\n", b"%YAML 1.3\n",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\x85", b"#", b"\\", b"\xfe\xff", b"? ", b"| ",
]  # fmt: skip


def damage(rng: random.Random, content: bytes) -> bytes:
    """One of: cut, drop, repeat, flip, insert, other line ends, other encoding, a mark before it."""
    at, end = sorted((rng.randint(0, len(content)), rng.randint(0, len(content))))
    near = min(at + rng.randint(1, 20), len(content))
    match rng.randrange(12):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[near:]
        case 2:
            return content[:near] + content[at:]
        case 3 | 4 if content:
            spot = rng.randrange(len(content))
            return content[:spot] + bytes([content[spot] ^ (1 << rng.randrange(8))]) + content[spot + 1 :]
        case 5 | 6 | 7:
            return content[:at] + rng.choice(INSERTS) + content[at:]
        case 8:
            return content.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8"]))
        case 9:
            return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\x00", b"---\n", b"\r\n"]) + content
        case 10:
            return content.decode("utf-8", "replace").encode(
                rng.choice(["utf-16", "latin-1", "utf-32", "utf-8-sig"]), "replace"
            )
        case _:
            return content[end:] if rng.random() < 0.3 else content + content[at:end]
