//! Control characters as scanners and people write them: as such, as words in brackets, as escapes, as pictures.
//! Words and escapes count only where no control character arrived as such, since a scanner that sends them as they
//! are spells none.

use super::{EOT, GS, RS};
use crate::error::ScanError;

const SPELLINGS: &[(&str, char)] = &[
    ("<GS>", GS),
    ("{GS}", GS),
    ("[GS]", GS),
    ("<FNC1>", GS),
    ("{FNC1}", GS),
    ("[FNC1]", GS),
    ("^]", GS),
    ("\\x1d", GS),
    ("\\u001d", GS),
    ("\\u{1d}", GS),
    ("\\035", GS),
    ("<RS>", RS),
    ("{RS}", RS),
    ("[RS]", RS),
    ("^^", RS),
    ("\\x1e", RS),
    ("\\u001e", RS),
    ("\\u{1e}", RS),
    ("\\036", RS),
    ("<EOT>", EOT),
    ("{EOT}", EOT),
    ("[EOT]", EOT),
    ("^D", EOT),
    ("\\x04", EOT),
    ("\\u0004", EOT),
    ("\\u{4}", EOT),
    ("\\004", EOT),
    ("<CR>", '\r'),
    ("{CR}", '\r'),
    ("[CR]", '\r'),
    ("<LF>", '\n'),
    ("{LF}", '\n'),
    ("[LF]", '\n'),
    ("<TAB>", '\t'),
    ("{TAB}", '\t'),
    ("[TAB]", '\t'),
];

const PICTURES: &[(char, char)] = &[
    ('\u{241d}', GS),
    ('\u{241e}', RS),
    ('\u{2404}', EOT),
    ('\u{240d}', '\r'),
    ('\u{240a}', '\n'),
];

/// The scan with its control characters as such, without blanks and line ends around it.
pub(super) fn control_characters(text: &str) -> Result<String, ScanError> {
    let text = text.trim_matches(is_blank);
    let as_such = text.contains([GS, RS, EOT]);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let spelled = SPELLINGS.iter().filter(|_| !as_such).find_map(|(spelling, control)| {
            let (start, after) = rest.split_at_checked(spelling.len())?;
            start.eq_ignore_ascii_case(spelling).then_some((*control, after))
        });
        let picture = PICTURES.iter().find(|(picture, _)| *picture == next);
        let (character, after) = match (spelled, picture) {
            (Some(spelled), _) => spelled,
            (None, Some((_, control))) => (*control, rest.get(next.len_utf8()..).unwrap_or("")),
            (None, None) => (next, rest.get(next.len_utf8()..).unwrap_or("")),
        };
        plain.push(character);
        rest = after;
    }
    let plain = plain.trim_matches(is_blank);
    let printable = |c: char| matches!(c, ' '..='~' | GS | RS | EOT);
    if plain.is_empty() {
        Err(ScanError::Empty)
    } else if plain.chars().all(printable) {
        Ok(plain.to_owned())
    } else {
        Err(ScanError::NotAscii)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
