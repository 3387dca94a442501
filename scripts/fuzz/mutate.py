"""Ways to damage a file: its bytes, the values in its JSON or YAML, its lines; and what no honest file holds."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

from bench.core.yaml_file import parse

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, math.inf, math.nan, "", " ", "x"),
    *(
        "~",
        "../../etc/passwd",
        "/dev/zero",
        "x" * 5000,
        "\x00",
        "\u2028",
        "\ud800",
        "é\u200b",
        "\x1b[31m",
        "=1+1",
        "%s",
    ),
    *("[red]x[/red]", "<script>", "{text}", "{", "1e999", "NaN", "-", "lora+rag", [], {}, [None], [[]], {"": ""}, [{}]),
    *({"a": {"b": [1]}}, ["x"] * 300, "2026-13-45", "١٢"),
)
_BYTES = (
    b"\x00",
    b"\xff",
    b"\xfe\xff",
    b"\n",
    b"\r",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\x80",
    b"\xed\xa0\x80",
    b"-",
)
_SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
_DEEP = 100_000


def damaged(name: str, content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The content of a file, changed once to three times, and what was done."""
    kind = PurePath(name).suffix
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        ways: list[Callable[[bytes, random.Random], tuple[bytes, str]]] = [of_bytes]
        if kind in (".json", ".yaml"):
            ways += [of_yaml if kind == ".yaml" else of_json] * 8 + [bomb] * (rng.random() < 0.1)
        elif kind == ".jsonl":
            ways += [of_lines] + [of_json_line] * 6 + [bomb] * (rng.random() < 0.1)
        elif kind in (".csv", ".tsv", ".txt", ".md", ".html"):
            ways += [of_lines] * 2
        try:
            content, what = rng.choice(ways)(content, rng)
        except (ValueError, IndexError, TypeError, RecursionError, LookupError):  # was no JSON any more
            content, what = of_bytes(content, rng)
        done.append(what)
    return content, ", ".join(done)


def of_bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Bits, bytes, numbers, spans."""
    data = bytearray(content)
    if not data:
        return rng.randbytes(rng.randrange(1, 40)), "bytes in an empty file"
    at = rng.randrange(len(data))
    way = rng.randrange(8)
    if way == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif way == 1:
        data[at : at + 1] = rng.choice(_BYTES)
    elif way == 2:
        data[at:at] = rng.choice((rng.choice(_BYTES), rng.randbytes(rng.randrange(1, 16))))
    elif way == 3:
        del data[at : at + rng.choice((1, 2, 8, len(data)))]
    elif way == 4:
        del data[at:]
    elif way == 5:
        span = data[at : at + rng.randrange(1, 200)]
        data[at:at] = span * rng.choice((1, 2, 50))
    elif way == 6:
        width = rng.choice((1, 2, 4, 8))
        number = rng.choice(_SIZES) & (2 ** (8 * width) - 1)
        data[at : at + width] = number.to_bytes(width, rng.choice(("little", "big")))
    else:
        other = rng.randrange(len(data))
        span = data[other : other + rng.randrange(1, 64)]
        data[at : at + len(span)] = span
    return bytes(data), f"bytes, way {way} at {at}"


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key or index) in a value."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, below in inner:
        yield value, key
        yield from places(below)


def spoiled(document: Any, rng: random.Random) -> tuple[Any, str]:
    """One value in a document changed, removed, moved or repeated."""
    spots = list(places(document))
    if not spots or rng.random() < 0.01:
        value = rng.choice(VALUES)
        return value, f"all is {value!r:.40}"
    holder, key = rng.choice(spots)
    way = rng.random()
    if way < 0.15:
        del holder[key]
        return document, f"{key} removed"
    if way < 0.25:
        if isinstance(holder, dict):
            holder[rng.choice(("new", "", "x" * 300, "\u2028", str(key).upper(), "\ud800"))] = holder.pop(key)
            return document, f"{key} renamed"
        holder.insert(0, holder[key])
        return document, f"{key} repeated"
    if way < 0.35:
        other, name = rng.choice(spots)
        value = json.loads(json.dumps(other[name])) if not isinstance(other[name], float) else other[name]
        holder[key] = value
        return document, f"{key} = {name}"
    holder[key] = rng.choice(VALUES)
    return document, f"{key} = {holder[key]!r:.40}"


def of_json(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    document, what = spoiled(json.loads(content), rng)
    return json.dumps(document).encode(), what


def of_json_line(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    lines = [line for line in content.split(b"\n") if line]
    at = rng.randrange(len(lines))
    lines[at], what = of_json(lines[at], rng)
    return b"\n".join(lines) + b"\n", f"line {at}: {what}"


def of_yaml(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    document, what = spoiled(parse(content.decode()), rng)
    return flow(document).encode("utf-8", "surrogatepass"), what


def flow(value: Any) -> str:
    """YAML in flow style; JSON knows no keys but text, and no numbers that are not finite."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".inf" if value > 0 else ".nan"
    return json.dumps(value, ensure_ascii=value in ("\x00", "\x1b[31m"))


def of_lines(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A line removed, repeated, moved, cut or put together with another."""
    lines = content.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(6)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[other])
    elif way == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif way == 3:
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    elif way == 4:
        lines[at] += rng.choice((b",", b'"', b";", b"\t", b"\r")) + lines[other]
    else:
        lines[at] = rng.choice((b"", b",,,,", b'"', b"\xff\xfe", b"sep=;", b"\x00" * 9, b"a" * 200_000))
    return b"\n".join(lines), f"lines, way {way} at {at}"


def bomb(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A small file that unfolds, or nests, without an end."""
    aliases = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
    )
    return rng.choice(
        (
            (b"[" * _DEEP, "nested lists"),
            (b'{"a":' * _DEEP, "nested objects"),
            (b"[" * _DEEP + b"]" * _DEEP + b"\n", "nested lists that end"),
            (aliases.encode(), "aliases"),
            (b"a: " + b"9" * 100_000 + b"\n", "a number of many digits"),
            (b"{" + b",".join(b'"k%d": 1' % i for i in range(50_000)) + b"}", "many keys"),
            (b"? " * 10_000, "nested keys"),
            (b"- " * 20_000 + b"x", "nested sequences"),
            (content + b"\n---\n" + content, "twice"),
        )
    )
