"""Messages as the .proto files say, read from these files: of their language, what Heatmark's files use."""

import re
from pathlib import Path
from typing import Any, Dict, Iterable, NamedTuple, Tuple

Message = Dict[str, Any]
WORDS = {"bytes", "string", "uint32", "uint64", "bool"}


class Field(NamedTuple):
    name: str
    kind: str
    number: int
    repeated: bool


class Schema:
    """Messages, enums and methods of .proto files."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.messages: Dict[str, Dict[int, Field]] = {}
        self.enums: Dict[str, Dict[str, int]] = {}
        self.methods: Dict[str, Tuple[str, str]] = {}
        for text in texts:
            self._read(re.sub(r"//[^\n]*", "", text))

    @classmethod
    def of_file(cls, path: Path) -> "Schema":
        """What a file says, and those that it imports, from the directory that names in them begin at."""
        texts: Dict[Path, str] = {}
        waiting = [path]
        while waiting:
            path = waiting.pop()
            if path in texts:
                continue
            texts[path] = path.read_text(encoding="utf-8")
            for name in re.findall(r'^import\s+"([^"]+)"\s*;', texts[path], re.MULTILINE):
                root = next((root for root in path.parents if (root / name).is_file()), None)
                if root is None:
                    raise ValueError(f"{path.name} imports {name}, which is not there")
                waiting.append(root / name)
        # Where two packages have messages of one name, the first file's own is meant.
        return cls(reversed(list(texts.values())))

    def _read(self, text: str) -> None:
        package = re.search(r"\bpackage\s+([\w.]+)\s*;", text)
        if package is None:
            raise ValueError("a .proto file without a package")
        # Oneofs only group fields: their braces go, their fields stay.
        text = re.sub(r"\boneof\s+\w+\s*\{([^}]*)\}", r"\1", text)
        for name, body in re.findall(r"\bmessage\s+(\w+)\s*\{([^{}]*)\}", text):
            fields = re.findall(r"(repeated\s+|optional\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*;", body)
            self.messages[name] = {
                int(number): Field(field, kind.rpartition(".")[2], int(number), label.strip() == "repeated")
                for label, kind, field, number in fields
            }
        for name, body in re.findall(r"\benum\s+(\w+)\s*\{([^{}]*)\}", text):
            values = re.findall(r"(\w+)\s*=\s*(\d+)\s*;", body)
            self.enums[name] = {value: int(number) for value, number in values}
        method = r"\brpc\s+(\w+)\s*\(\s*(?:stream\s+)?(\w+)\s*\)\s*returns\s*\(\s*(?:stream\s+)?(\w+)\s*\)"
        for service, body in re.findall(r"\bservice\s+(\w+)\s*\{([^{}]*)\}", text):
            for name, request, response in re.findall(method, body):
                path = f"/{package.group(1)}.{service}/{name}"
                self.methods[path] = (request, response)

    def encode(self, kind: str, message: Message) -> bytes:
        fields = {field.name: field for field in self.messages[kind].values()}
        unknown = set(message) - set(fields)
        if unknown:
            raise ValueError(f"{kind} has no {', '.join(sorted(unknown))}")
        out = b""
        for field in sorted(fields.values(), key=lambda field: field.number):
            if field.name in message:
                value = message[field.name]
                for one in value if field.repeated else [value]:
                    out += self._encode_one(field, one)
        return out

    def _encode_one(self, field: Field, value: Any) -> bytes:
        if field.kind in ("uint32", "uint64", "bool") or field.kind in self.enums:
            return varint(field.number << 3) + varint(int(value))
        if field.kind == "string":
            value = value.encode("utf-8")
        elif field.kind != "bytes":
            value = self.encode(field.kind, value)
        return varint(field.number << 3 | 2) + varint(len(value)) + value

    def decode(self, kind: str, data: bytes) -> Message:
        """A message with its defaults; a field of another message that is absent is None."""
        fields = self.messages[kind]
        message: Message = {field.name: self._absent(field) for field in fields.values()}
        at = 0
        while at < len(data):
            tag, at = read_varint(data, at)
            if tag & 7 == 0:
                value: Any
                value, at = read_varint(data, at)
            elif tag & 7 == 2:
                length, at = read_varint(data, at)
                value, at = data[at : at + length], at + length
                if at > len(data):
                    raise ValueError(f"{kind} is cut off")
            else:
                raise ValueError(f"{kind} has a field of wire type {tag & 7}")
            field = fields.get(tag >> 3)
            if field is not None:
                self._keep(message, field, value)
        return message

    def _absent(self, field: Field) -> Any:
        if field.repeated:
            return []
        return {"bytes": b"", "string": "", "bool": False}.get(
            field.kind, 0 if field.kind in WORDS or field.kind in self.enums else None
        )

    def _keep(self, message: Message, field: Field, value: Any) -> None:
        if field.repeated and isinstance(value, bytes) and (field.kind in ("uint32", "uint64") or field.kind in self.enums):
            at = 0
            while at < len(value):
                one, at = read_varint(value, at)
                message[field.name].append(one)
            return
        if field.kind == "string":
            value = value.decode("utf-8")
        elif field.kind == "bool":
            value = bool(value)
        elif field.kind not in WORDS and field.kind not in self.enums:
            value = self.decode(field.kind, value)
        if field.repeated:
            message[field.name].append(value)
        else:
            message[field.name] = value


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data: bytes, at: int) -> Tuple[int, int]:
    value = 0
    for place in range(10):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than 64 bits")
