//! Searching for what must not be there: canaries in every writing that a number or a text has, and
//! whatever would let somebody with a million guesses confirm one.
//!
//! The attacker knows all of a certificate but one value, and knows every rule. For each guess it
//! computes what a careless program might have let out: the guess's SHA-256, plain, by path, tagged
//! as the log tags things, as a field's or a leaf's encoding without salt, and the file's digest. A
//! salted hash is none of these: its salt is 32 random bytes.

use heatmark_merkle::tag;
use sha2::{Digest, Sha256};

/// How many values the attacker tries for each canary.
pub(super) const GUESSES: u32 = 1_000_000;

/// A value that must be nowhere, in all its writings.
pub(super) struct Canary {
    pub(super) name: String,
    writings: Vec<Vec<u8>>,
}

impl Canary {
    pub(super) fn text(text: &str) -> Self {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex = hex::encode(text);
        let writings = vec![
            text.as_bytes().to_vec(),
            text.to_lowercase().into_bytes(),
            hex.clone().into_bytes(),
            hex.to_uppercase().into_bytes(),
            wide,
            text.bytes().rev().collect(),
        ];
        Self { name: text.to_owned(), writings }
    }

    /// A decimal of many digits, for example `0.022718399044127`.
    pub(super) fn number(text: &str) -> Self {
        let digits = text.replace('.', "");
        let mantissa: i128 = digits.parse().unwrap();
        let scale = text.split_once('.').map_or(0, |(_, after)| after.len()) as u8;
        let value: f64 = text.parse().unwrap();
        let mut record = mantissa.to_be_bytes().to_vec();
        record.push(scale);
        let short = digits.trim_start_matches('0').as_bytes().to_vec();
        assert!(short.len() >= 11, "{text} is found by chance");
        let writings = vec![
            text.as_bytes().to_vec(),
            short,
            record,
            mantissa.to_le_bytes().to_vec(),
            value.to_le_bytes().to_vec(),
            value.to_be_bytes().to_vec(),
        ];
        Self { name: text.to_owned(), writings }
    }

    /// A whole number of milligrams or pieces, in every writing that a program has for one.
    pub(super) fn quantity(number: u64) -> Self {
        let decimal = |scale: usize| {
            let digits = number.to_string();
            let (whole, part) = digits.split_at(digits.len() - scale);
            format!("{whole}.{part}").into_bytes()
        };
        assert!(number >= 1 << 34, "{number} is found by chance");
        let mut varint = Vec::new();
        prost::encoding::encode_varint(number, &mut varint);
        let hex = format!("{number:x}");
        let float: f64 = number.to_string().parse().unwrap();
        let writings = vec![
            number.to_string().into_bytes(),
            decimal(3),
            decimal(6),
            decimal(9),
            hex.clone().into_bytes(),
            hex.to_uppercase().into_bytes(),
            number.to_be_bytes().to_vec(),
            number.to_le_bytes().to_vec(),
            varint,
            float.to_be_bytes().to_vec(),
            float.to_le_bytes().to_vec(),
        ];
        Self { name: number.to_string(), writings }
    }

    /// In which writing it stands in these bytes.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Option<usize> {
        let stands = |writing: &Vec<u8>| memchr(bytes, writing);
        self.writings.iter().position(stands)
    }
}

fn memchr(bytes: &[u8], wanted: &[u8]) -> bool {
    let (first, rest) = wanted.split_first().unwrap();
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        let after = from + at + 1;
        if bytes[after..].starts_with(rest) {
            return true;
        }
        from = after;
    }
    false
}

/// Bits of the table that says of most bytes that they begin no known hash.
const SIEVE_BITS: u32 = 29;

/// What confirms a guess, by the first eight bytes of its hash.
pub(super) struct Confirmations {
    /// Ascending once complete.
    known: Vec<(u64, u32, u8)>,
    ways: Vec<&'static str>,
    sieve: Vec<u64>,
}

impl Confirmations {
    /// All that `fill` adds.
    pub(super) fn of(fill: impl FnOnce(&mut Self)) -> Self {
        let sieve = vec![0; 1 << (SIEVE_BITS - 6)];
        let mut all = Self { known: Vec::new(), ways: Vec::new(), sieve };
        fill(&mut all);
        all.known.sort_unstable();
        all
    }

    pub(super) fn add(&mut self, way: &'static str, guess: u32, hash: [u8; 32]) {
        let number = self.ways.iter().position(|known| *known == way).unwrap_or_else(|| {
            self.ways.push(way);
            self.ways.len() - 1
        });
        let prefix = u64::from_be_bytes(hash[..8].try_into().unwrap());
        let (word, bit) = place(prefix);
        self.sieve[word] |= bit;
        self.known.push((prefix, guess, number as u8));
    }

    /// All guesses at one value of a certificate: `write` gives the value's text, `path` its place
    /// in the record, `kind` the kind of its encoding.
    pub(super) fn guess(&mut self, path: &str, kind: u8, write: impl Fn(u32) -> String) {
        for guess in 0..GUESSES {
            let text = write(guess);
            let value = [&[kind], text.as_bytes()].concat();
            self.add("SHA-256 of the value", guess, Sha256::digest(&text).into());
            self.add("SHA-256 of the field's encoding", guess, Sha256::digest(&value).into());
            let joined = format!("{path}{text}");
            self.add("SHA-256 of path and value", guess, Sha256::digest(joined).into());
            let bare = tag::hash("record-field", &[path.as_bytes(), &value]).0;
            self.add("a leaf without head and salt", guess, bare);
            let zeros = [0; 32];
            let unsalted = tag::hash("record-field", &[&zeros, path.as_bytes(), &zeros, &value]).0;
            self.add("a leaf under zeros", guess, unsalted);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// What of them stands in these bytes at any offset, raw or as hex.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Option<(&'static str, u32)> {
        let raw = bytes.windows(8).find_map(|window| self.knows(window.try_into().unwrap()));
        raw.or_else(|| {
            let mut decoded = [0; 8];
            bytes.windows(16).find_map(|window| {
                let is_hex = window[0].is_ascii_hexdigit() && window[15].is_ascii_hexdigit();
                let read = is_hex && hex::decode_to_slice(window, &mut decoded).is_ok();
                read.then(|| self.knows(decoded)).flatten()
            })
        })
    }

    fn knows(&self, prefix: [u8; 8]) -> Option<(&'static str, u32)> {
        let prefix = u64::from_be_bytes(prefix);
        let (word, bit) = place(prefix);
        if self.sieve[word] & bit == 0 {
            return None;
        }
        let at = self.known.binary_search_by_key(&prefix, |(known, ..)| *known).ok()?;
        let (_, guess, way) = self.known[at];
        Some((self.ways[usize::from(way)], guess))
    }
}

fn place(prefix: u64) -> (usize, u64) {
    let index = prefix >> (64 - SIEVE_BITS);
    ((index >> 6) as usize, 1 << (index & 63))
}
