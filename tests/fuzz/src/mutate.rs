//! Changes to inputs: of bytes, of the fields of a message with the lengths around them mended, and
//! of the tokens of a text.

use crate::Chance;

/// How inputs are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Protocol Buffers.
    Message,
    /// JSON, TOML or a path.
    Text,
    /// Anything else.
    Bytes,
}

/// Numbers at which decoders go wrong.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

const TOKENS: [&str; 34] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-",
    "0",
    "1e999",
    "-0",
    "1E-400",
    "0.1",
    "9223372036854775808",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "\\u0000",
    "\\ud800",
    "\\",
    "\u{202e}",
    "\u{feff}",
    "\0",
    "\n",
    "\n\n",
    "/",
    "//",
    "..",
    "%",
    "<=",
    "=",
    "[[",
    "'''",
];

/// An input made of one ancestor, sometimes with pieces of another.
#[must_use]
pub fn mutate(chance: &mut Chance, shape: Shape, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut input = chance.pick(pool).cloned().unwrap_or_default();
    if chance.once_in(64) {
        let length = chance.below(256);
        return (0..length).map(|_| chance.byte()).collect();
    }
    let changes = if chance.once_in(4) { chance.below(12) } else { 1 };
    for _ in 0..changes.max(1) {
        let other = chance.pick(pool).cloned().unwrap_or_default();
        input = match shape {
            Shape::Message if !chance.once_in(4) => message(chance, &input, &other, 0),
            Shape::Text if !chance.once_in(4) => text(chance, input, &other),
            _ => bytes(chance, input, &other),
        };
    }
    input
}

fn place(chance: &mut Chance, input: &[u8]) -> usize {
    chance.below(input.len().saturating_add(1))
}

fn span(chance: &mut Chance, input: &[u8], most: usize) -> std::ops::Range<usize> {
    let start = place(chance, input);
    let length = chance.below(most.saturating_add(1));
    start..start.saturating_add(length).min(input.len())
}

fn bytes(chance: &mut Chance, mut input: Vec<u8>, other: &[u8]) -> Vec<u8> {
    match chance.below(9) {
        0 => input.truncate(place(chance, &input)),
        1 => drop(input.drain(span(chance, &input, 32))),
        2 => {
            let count = chance.below(16);
            let fresh: Vec<u8> = (0..count).map(|_| chance.byte()).collect();
            let at = place(chance, &input);
            drop(input.splice(at..at, fresh));
        }
        3 => {
            let piece = other.get(span(chance, other, 64)).unwrap_or_default().to_vec();
            let over = span(chance, &input, 64);
            drop(input.splice(over, piece));
        }
        4 => {
            let piece = input.get(span(chance, &input, 64)).unwrap_or_default().to_vec();
            let times = chance.below(40);
            let at = place(chance, &input);
            drop(input.splice(at..at, piece.repeat(times)));
        }
        5 => {
            let edge = chance.pick(&EDGES).copied().unwrap_or(0);
            let width = [1, 2, 4, 8].get(chance.below(4)).copied().unwrap_or(1);
            let whole = if chance.once_in(2) { edge.to_be_bytes() } else { edge.to_le_bytes() };
            let from = if chance.once_in(2) { 8_usize.saturating_sub(width) } else { 0 };
            let at = place(chance, &input);
            let end = at.saturating_add(width).min(input.len());
            let value = whole.iter().copied().skip(from).take(width).collect::<Vec<_>>();
            drop(input.splice(at..end, value));
        }
        6 => {
            let value = chance.byte();
            let over = span(chance, &input, 16);
            input.get_mut(over).unwrap_or_default().fill(value);
        }
        _ => {
            let at = chance.below(input.len());
            let bit = 1_u8 << chance.below(8);
            if let Some(byte) = input.get_mut(at) {
                *byte ^= bit;
            }
        }
    }
    input
}

fn text(chance: &mut Chance, mut input: Vec<u8>, other: &[u8]) -> Vec<u8> {
    let token = chance.pick(&TOKENS).copied().unwrap_or_default().as_bytes();
    match chance.below(6) {
        0 => {
            let at = place(chance, &input);
            drop(input.splice(at..at, token.iter().copied()));
        }
        1 => {
            let over = word(chance, &input);
            drop(input.splice(over, token.iter().copied()));
        }
        2 => {
            let (over, from) = (word(chance, &input), word(chance, other));
            let piece = other.get(from).unwrap_or_default().to_vec();
            drop(input.splice(over, piece));
        }
        3 => {
            let line: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
            let one = chance.pick(&line).copied().unwrap_or_default().to_vec();
            let times = chance.below(8);
            let at = place(chance, &input);
            drop(input.splice(at..at, one.repeat(times)));
        }
        4 => {
            let nested = token.repeat(chance.below(200));
            let at = place(chance, &input);
            drop(input.splice(at..at, nested));
        }
        _ => return bytes(chance, input, other),
    }
    input
}

/// What stands between two marks of the text's grammar.
fn word(chance: &mut Chance, input: &[u8]) -> std::ops::Range<usize> {
    let start = place(chance, input);
    let is_mark = |byte: &u8| matches!(byte, b'"' | b',' | b':' | b'\n' | b'/' | b'=' | b' ');
    let rest = input.get(start..).unwrap_or_default();
    let length = rest.iter().position(is_mark).unwrap_or(rest.len());
    start..start.saturating_add(length)
}

/// A field as it stands: its key, and what follows.
struct Field {
    key: u64,
    value: Value,
}

enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Fixed(Vec<u8>),
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..10_u32 {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        number |= u64::from(byte & 0x7f).checked_shl(place.saturating_mul(7)).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut number: u64, padded: bool) {
    loop {
        let byte = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            out.push(if padded { byte | 0x80 } else { byte });
            break;
        }
        out.push(byte | 0x80);
    }
    if padded {
        out.push(0);
    }
}

fn fields(mut input: &[u8]) -> Option<Vec<Field>> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let key = varint(&mut input)?;
        let take = |input: &mut &[u8], length: usize| {
            let (piece, rest) = input.split_at_checked(length)?;
            *input = rest;
            Some(piece.to_vec())
        };
        let value = match key & 7 {
            0 => Value::Number(varint(&mut input)?),
            1 => Value::Fixed(take(&mut input, 8)?),
            5 => Value::Fixed(take(&mut input, 4)?),
            2 => {
                let length = usize::try_from(varint(&mut input)?).ok()?;
                Value::Bytes(take(&mut input, length)?)
            }
            _ => return None,
        };
        all.push(Field { key, value });
    }
    Some(all)
}

fn written(chance: &mut Chance, all: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in all {
        let sloppy = chance.once_in(200);
        put_varint(&mut out, field.key, sloppy);
        match &field.value {
            Value::Number(number) => put_varint(&mut out, *number, sloppy),
            Value::Fixed(bytes) => out.extend(bytes),
            Value::Bytes(bytes) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                put_varint(&mut out, length, sloppy);
                out.extend(bytes);
            }
        }
    }
    out
}

const DEPTH: usize = 6;

fn message(chance: &mut Chance, input: &[u8], other: &[u8], depth: usize) -> Vec<u8> {
    let Some(mut all) = fields(input).filter(|all| !all.is_empty()) else {
        return bytes(chance, input.to_vec(), other);
    };
    let at = chance.below(all.len());
    let theirs = fields(other).unwrap_or_default();
    match chance.below(10) {
        0 => drop(all.remove(at)),
        1 => all.rotate_left(at),
        2 => {
            let times = if chance.once_in(8) { 2_000 } else { chance.below(4) };
            let Some(field) = all.get(at) else { return input.to_vec() };
            let copies = (0..times).map(|_| field.copy()).collect::<Vec<_>>();
            drop(all.splice(at..at, copies));
        }
        3 => {
            if let Some(field) = chance.pick(&theirs) {
                let fresh = field.copy();
                all.insert(at, fresh);
            }
        }
        4 => {
            let times = if chance.once_in(8) { 4_000 } else { 1 };
            let key = all.get(at).map_or(0, |field| field.key) & !7 | 2;
            let empty = (0..times).map(|_| Field { key, value: Value::Bytes(Vec::new()) });
            let empty = empty.collect::<Vec<_>>();
            drop(all.splice(at..at, empty));
        }
        5 => {
            let number = u64::try_from(chance.below(20)).unwrap_or(0);
            let value = Value::Number(chance.pick(&EDGES).copied().unwrap_or(0));
            all.push(Field { key: number << 3, value });
        }
        _ => {
            if let Some(field) = all.get_mut(at) {
                field.change(chance, &theirs, depth);
            }
        }
    }
    written(chance, &all)
}

impl Field {
    fn copy(&self) -> Self {
        let value = match &self.value {
            Value::Number(number) => Value::Number(*number),
            Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Value::Fixed(bytes) => Value::Fixed(bytes.clone()),
        };
        Self { key: self.key, value }
    }

    fn change(&mut self, chance: &mut Chance, theirs: &[Self], depth: usize) {
        match &mut self.value {
            Value::Number(number) => {
                let edge = chance.pick(&EDGES).copied().unwrap_or(0);
                *number = match chance.below(3) {
                    0 => edge,
                    1 => number.wrapping_add(1),
                    _ => number.wrapping_sub(1),
                };
            }
            Value::Fixed(inner) | Value::Bytes(inner) => {
                let other = chance.pick(theirs).map(|field| match &field.value {
                    Value::Bytes(bytes) | Value::Fixed(bytes) => bytes.clone(),
                    Value::Number(_) => Vec::new(),
                });
                let other = other.unwrap_or_default();
                let deeper = depth < DEPTH && fields(inner).is_some() && !chance.once_in(3);
                *inner = if deeper {
                    message(chance, inner, &other, depth.saturating_add(1))
                } else {
                    bytes(chance, std::mem::take(inner), &other)
                };
            }
        }
    }
}
