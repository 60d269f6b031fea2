//! JSON (RFC 8259) read exactly: numbers keep their digits, an object that names one member twice is refused, and
//! what is wrong has a line and column. The usual parsers turn numbers into floats and keep the last of two equal
//! names, which is no way to read what will be signed. Refuses more than 4 MiB and nesting above 64.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::fault::{Fault, What};
use crate::{MAX_PATH_BYTES, RecordError};

/// Longest certificate file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// Deepest nesting of objects and lists.
pub const MAX_DEPTH: usize = 64;
/// Most values in a file; a certificate of 1,000 fields has a few thousand.
const MAX_VALUES: usize = 50_000;

/// A JSON value; a number is the text that stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, digit for digit.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object; no name stands twice in one that was parsed.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The members of an object; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(String, Self)] {
        if let Self::Object(entries) = self { entries } else { &[] }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The text of the member of that name.
    #[must_use]
    pub fn text_at(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::text)
    }
}

/// Reads a file; a byte order mark before it is ignored.
///
/// # Errors
/// One fault, with line and column: the first that stands in the way.
pub fn parse(bytes: &[u8]) -> Result<Json, Fault> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Fault::new("", What::TooLarge));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::new("", What::NotText))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { text, at: 0, values: 0 };
    let parsed = parser.value(0).and_then(|value| {
        parser.skip_space();
        if parser.at == text.len() { Ok(value) } else { Err(What::NotJson) }
    });
    parsed.map_err(|what| Fault::new(&parser.place(), what))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Parser<'_> {
    fn place(&self) -> String {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.matches('\n').count().saturating_add(1);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        format!("line {line}, column {}", last_line.chars().count().saturating_add(1))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step(1);
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.step(usize::from(found));
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), What> {
        if self.eat(byte) { Ok(()) } else { Err(What::NotJson) }
    }

    fn value(&mut self, depth: usize) -> Result<Json, What> {
        self.skip_space();
        self.values = self.values.saturating_add(1);
        match self.peek() {
            _ if self.values > MAX_VALUES => Err(What::Field(RecordError::TooManyFields)),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(What::TooDeep),
            Some(b'{') => self.object(depth.saturating_add(1)),
            Some(b'[') => self.list(depth.saturating_add(1)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, What> {
        self.step(1);
        let mut names = BTreeSet::new();
        let mut entries = Vec::new();
        if self.eat(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(What::NotJson);
            }
            let name_at = self.at;
            let name = self.string()?;
            if name.len() > MAX_PATH_BYTES {
                self.at = name_at;
                return Err(What::Field(RecordError::BadPath));
            }
            if !names.insert(name.clone()) {
                self.at = name_at;
                return Err(What::NameTwice);
            }
            self.expect(b':')?;
            entries.push((name, self.value(depth)?));
            if self.eat(b'}') {
                return Ok(Json::Object(entries));
            }
            self.expect(b',')?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, What> {
        self.step(1);
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.eat(b']') {
                return Ok(Json::List(items));
            }
            self.expect(b',')?;
        }
    }

    fn word(&mut self) -> Result<Json, What> {
        for (word, value) in
            [("true", Json::Boolean(true)), ("false", Json::Boolean(false)), ("null", Json::Null)]
        {
            if self.rest().starts_with(word) {
                self.step(word.len());
                return Ok(value);
            }
        }
        Err(What::NotJson)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.step(1);
        }
        self.at.saturating_sub(start)
    }

    fn number(&mut self) -> Result<Json, What> {
        let start = self.at;
        self.step(usize::from(self.peek() == Some(b'-')));
        if self.peek() == Some(b'0') {
            self.step(1);
        } else if self.digits() == 0 {
            return Err(What::NotJson);
        }
        if self.peek() == Some(b'.') {
            self.step(1);
            if self.digits() == 0 {
                return Err(What::NotJson);
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.step(1);
            self.step(usize::from(matches!(self.peek(), Some(b'+' | b'-'))));
            if self.digits() == 0 {
                return Err(What::NotJson);
            }
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default().to_owned()))
    }

    fn string(&mut self) -> Result<String, What> {
        self.step(1);
        let mut out = String::new();
        loop {
            let plain = self.rest().find(['"', '\\']).ok_or(What::NotJson)?;
            let run = self.rest().get(..plain).unwrap_or_default();
            if let Some(control) = run.find(|c: char| c < ' ') {
                self.step(control);
                return Err(What::NotJson);
            }
            out.push_str(run);
            self.step(plain);
            if self.peek() == Some(b'"') {
                self.step(1);
                return Ok(out);
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, What> {
        self.step(1);
        let kind = self.peek().ok_or(What::NotJson)?;
        self.step(1);
        let plain = match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(What::NotJson),
        };
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, What> {
        let high = self.four_hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return char::from_u32(high).ok_or(What::NotJson);
        }
        if !self.rest().starts_with("\\u") {
            return Err(What::NotJson);
        }
        self.step(2);
        let low = self.four_hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(What::NotJson);
        }
        let above = (high & 0x3ff) << 10 | (low & 0x3ff);
        char::from_u32(above.saturating_add(0x1_0000)).ok_or(What::NotJson)
    }

    fn four_hex(&mut self) -> Result<u32, What> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code =
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or(What::NotJson)?;
        self.step(4);
        Ok(code)
    }
}
