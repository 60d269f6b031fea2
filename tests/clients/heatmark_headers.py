"""Header fields of HTTP/2 as RFC 7541 packs them."""

from typing import Dict, Iterable, List, Tuple

from heatmark_messages import read_varint, varint

STATIC = """:authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|
:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|
accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|
content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|
if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|
proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|
vary|via|www-authenticate"""
TABLE = [tuple((entry.split(" ", 1) + [""])[:2]) for entry in STATIC.replace("\n", "").split("|")]

# How many bits each byte's code has, and last the end's: the code is canonical, so that this is all of it (appendix B).
BITS = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
]


def codes() -> Dict[Tuple[int, int], int]:
    """Which byte each code of so many bits is."""
    found, code, before = {}, -1, BITS[48]
    for symbol in sorted(range(len(BITS)), key=lambda symbol: (BITS[symbol], symbol)):
        code = (code + 1) << (BITS[symbol] - before)
        before = BITS[symbol]
        found[before, code] = symbol
    return found


CODES = codes()


def unhuffman(data: bytes) -> bytes:
    out, code, bits = bytearray(), 0, 0
    for byte in data:
        for place in range(7, -1, -1):
            code, bits = code << 1 | byte >> place & 1, bits + 1
            symbol = CODES.get((bits, code))
            if symbol is not None:
                out.append(symbol)
                code, bits = 0, 0
    if bits > 7 or code != (1 << bits) - 1:
        raise ValueError("a text that is cut off")
    return bytes(out)


def pack(headers: Iterable[Tuple[str, str]]) -> bytes:
    """Literals that no table keeps."""
    out = b""
    for name, value in headers:
        out += b"\0" + integer(len(name), 7) + name.encode() + integer(len(value), 7) + value.encode()
    return out


def integer(value: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    return bytes([value]) if value < most else bytes([most]) + varint(value - most)


def read_integer(data: bytes, at: int, bits: int) -> Tuple[int, int]:
    most = (1 << bits) - 1
    value, at = data[at] & most, at + 1
    if value < most:
        return value, at
    more, at = read_varint(data, at)
    return most + more, at


def read_text(data: bytes, at: int) -> Tuple[str, int]:
    coded = data[at] & 0x80
    length, at = read_integer(data, at, 7)
    text, at = data[at : at + length], at + length
    return (unhuffman(text) if coded else text).decode("utf-8"), at


def unpack(block: bytes, table: List[Tuple[str, str]], room: int) -> List[Tuple[str, str]]:
    """The fields of a block; `table` is what the connection has kept, newest first."""
    fields, at = [], 0

    def entry(index: int) -> Tuple[str, str]:
        every = TABLE + table
        return every[index - 1]  # type: ignore

    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = read_integer(block, at, 7)
            fields.append(entry(index))
            continue
        if first & 0xE0 == 0x20:
            # The table's size: never more than was offered, and smaller only drops what is oldest.
            size, at = read_integer(block, at, 5)
            evict(table, min(size, room))
            continue
        index, at = read_integer(block, at, 6 if first & 0x40 else 4)
        name, at = (entry(index)[0], at) if index else read_text(block, at)
        value, at = read_text(block, at)
        fields.append((name, value))
        if first & 0x40:
            table.insert(0, (name, value))
            evict(table, room)
    return fields


def evict(table: List[Tuple[str, str]], room: int) -> None:
    while sum(len(name) + len(value) + 32 for name, value in table) > room:
        table.pop()
