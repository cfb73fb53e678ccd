"""Ways to spoil a file: bytes at random, and texts with what hostile or careless people write."""

import random
import string

#: Values that have broken parsers, pages or shells before.
NASTY = (
    "-1", "0", "1e999", ".nan", ".inf", "-.inf", "99999999999999999999", "null", "true", "[]", "{}", "[1, [2, [3]]]", '""',
    "2001-99-99", "0x7fffffff", "~", "!!python/object/apply:os.system ['touch owned']", "!!python/name:os.system", "!!set {a}",
    "<script>alert(1)</script>", "'; rm -rf / #", "../../../../etc/passwd", "/etc/passwd", "$(touch owned)", "a\u202eb",
    "{{7*7}}", "&x [*x]", "*nowhere", "%TAG", "\t", "'unclosed", "NaN", "Infinity", '{"a": 1}', "é" * 300,
    "[" * 900, "{a: " * 300,
)  # fmt: skip
#: The YAML form of a bomb: nine levels of ten references each.
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
HTML = b"<!DOCTYPE html><html><body>Too many users have viewed this file recently</body></html>"


def spoil_bytes(content: bytes, draw: random.Random) -> bytes:
    """Return content with one kind of damage: flipped, cut, doubled, zeroed, overwritten, or something else altogether."""
    size = max(len(content), 1)
    first = draw.randrange(size)
    last = min(size, first + draw.choice((1, 2, 8, 64, size)))
    kind = draw.randrange(9)
    if kind == 0:
        spoilt = bytearray(content or b"\0")
        for _ in range(draw.choice((1, 3, 20))):
            spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)
        return bytes(spoilt)
    noise = draw.randbytes(draw.choice((1, 4, 100)))
    return (
        content[:first],
        content[:first] + content[last:],
        content[:last] + content[first:],
        content[:first] + bytes(last - first) + content[last:],
        content[:first] + noise + content[last:],
        content + noise,
        b"",
        HTML,
    )[kind - 1]


def spoil_text(text: str, draw: random.Random) -> bytes:
    """Return a text file with a value, key or line replaced by something nasty, or spoilt as bytes."""
    kind = draw.randrange(6)
    if kind == 0:
        return spoil_bytes(text.encode(), draw)
    lines = text.splitlines() or [""]
    index = draw.randrange(len(lines))
    head, colon, _ = lines[index].partition(":")
    if kind == 1:
        lines[index] = "".join(draw.choices(string.printable, k=draw.choice((1, 10, 200))))
    elif kind == 2:
        lines.insert(index, draw.choice(lines))
    elif kind == 3 and colon:
        lines[index] = f"{head}{draw.choice(string.ascii_letters)}: {draw.choice(NASTY)}"
    elif kind == 4 and draw.random() < 0.1:
        return BOMB.encode() + text.encode()
    else:
        lines[index] = f"{head}{colon or ':'} {draw.choice(NASTY)}"
    return "\n".join(lines).encode(errors="surrogatepass")


def spoil_cells(text: str, draw: random.Random) -> bytes:
    """Return a CSV file with cells, columns or rows spoilt."""
    rows = [line.split(",") for line in text.splitlines()]
    row, kind = draw.choice(rows), draw.randrange(5)
    column = draw.randrange(len(row))
    if kind == 0:
        return spoil_bytes(text.encode(), draw)
    if kind == 1:
        row[column] = draw.choice(NASTY)
    elif kind == 2:
        del row[column]
    elif kind == 3:
        row.insert(column, draw.choice(("", '"', "<b>x</b>", "\r", "\0")))
    else:
        rows.append(draw.choice(rows))
    return "\n".join(",".join(cells) for cells in rows).encode(errors="surrogatepass")
