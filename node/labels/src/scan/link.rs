//! GS1 Digital Link URIs that are not compressed (GS1 Digital Link Standard: URI Syntax 1.4). Any host, any path in
//! front of the key. The link is taken apart and never followed. Parameters whose names are not identifiers are left out, as
//! the standard says.

use super::elements;
use crate::error::ScanError;
use crate::identifiers::application::Application;
use crate::reading::{Gathering, Reading};
use crate::value;
use percent_encoding::percent_decode_str;

/// Most parts of a path or query that are looked at.
const MAX_PARTS: usize = 64;

/// Keys with the qualifiers that may follow them in the path.
const KEYS: &[(&str, &[&str])] = &[
    ("00", &[]),
    ("01", &["22", "10", "21", "235"]),
    ("253", &[]),
    ("255", &[]),
    ("401", &[]),
    ("402", &[]),
    ("414", &["254", "7040"]),
    ("415", &["8020"]),
    ("417", &["7040"]),
    ("8003", &[]),
    ("8004", &["7040"]),
    ("8006", &["22", "10", "21"]),
    ("8010", &["8011"]),
    ("8013", &[]),
    ("8017", &["8019"]),
    ("8018", &["8019"]),
];

/// The words that earlier versions of the standard allowed in place of digits.
const WORDS: &[(&str, &str)] = &[
    ("sscc", "00"),
    ("gtin", "01"),
    ("gdti", "253"),
    ("gcn", "255"),
    ("ginc", "401"),
    ("gsin", "402"),
    ("gln", "414"),
    ("payTo", "415"),
    ("party", "417"),
    ("grai", "8003"),
    ("giai", "8004"),
    ("itip", "8006"),
    ("cpid", "8010"),
    ("gmn", "8013"),
    ("gsrnp", "8017"),
    ("gsrn", "8018"),
    ("cpv", "22"),
    ("lot", "10"),
    ("ser", "21"),
    ("tpx", "235"),
    ("glnx", "254"),
    ("cpsn", "8011"),
    ("srin", "8019"),
    ("refno", "8020"),
    ("exp", "17"),
];

/// Whether a scan is a link at all.
pub(super) fn is_link(text: &str) -> bool {
    after_scheme(text).is_some()
}

fn after_scheme(text: &str) -> Option<&str> {
    ["https://", "http://"].into_iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// All readings of a link; more than one only where the path in front of the key looks like a key itself.
pub(super) fn read(text: &str, year: u16) -> Result<Vec<Reading>, ScanError> {
    let rest = after_scheme(text).ok_or(ScanError::OtherLink)?;
    let rest = rest.split('#').next().unwrap_or(rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    if host.is_empty() || host.contains(' ') {
        return Err(ScanError::BadLink("it has no host"));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() > MAX_PARTS || query.split(['&', ';']).count() > MAX_PARTS {
        return Err(ScanError::BadLink("it has too many parts"));
    }
    let mut readings: Vec<Reading> = Vec::new();
    let mut fault = None;
    for at in 0..parts.len() {
        let Some(own) = parts.get(at..).filter(|own| is_key_path(own)) else {
            continue;
        };
        match along(own, query, year) {
            Ok(reading) if !readings.contains(&reading) => readings.push(reading),
            Ok(_) => {}
            // The first fault is of the longest path, which is the likeliest.
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    if readings.is_empty() { Err(fault.unwrap_or_else(|| no_key(&parts))) } else { Ok(readings) }
}

/// Whether a path is a key with its value and qualifiers with theirs.
fn is_key_path(parts: &[&str]) -> bool {
    let Some((key, qualifiers)) = parts.split_first().map(|(key, rest)| (digits_of(key), rest))
    else {
        return false;
    };
    let allowed = KEYS.iter().find(|(identifier, _)| *identifier == key);
    parts.len().is_multiple_of(2)
        && allowed.is_some_and(|(_, allowed)| {
            qualifiers.iter().skip(1).step_by(2).all(|name| allowed.contains(&digits_of(name)))
        })
}

fn along(parts: &[&str], query: &str, year: u16) -> Result<Reading, ScanError> {
    let mut gathering = Gathering::new(year);
    for pair in parts.chunks_exact(2) {
        if let [name, value] = pair {
            add(digits_of(name), value, (year, &mut gathering))?;
        }
    }
    for parameter in query.split(['&', ';']).filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = digits_of(name);
        if value::is_digits(name) {
            add(name, value, (year, &mut gathering))?;
        }
    }
    Ok(gathering.finish())
}

fn add(
    identifier: &str,
    encoded: &str,
    (year, gathering): (u16, &mut Gathering),
) -> Result<(), ScanError> {
    let application = Application::find(identifier)
        .ok_or_else(|| ScanError::UnknownApplication(identifier.chars().take(4).collect()))?;
    let wrong = || ScanError::BadLink("it is encoded wrongly");
    if !is_well_encoded(encoded) {
        return Err(wrong());
    }
    let value = percent_decode_str(encoded).decode_utf8().map_err(|_| wrong())?;
    // Earlier versions of the standard let shorter GTINs stand as they are.
    if identifier == "01" && value.len() != 14 {
        return elements::add_article(&value, gathering);
    }
    elements::add(application, identifier, &value, (year, gathering))
}

/// Whether two hexadecimal digits follow every percent sign; the decoder lets others stand, and a lot may have one.
fn is_well_encoded(encoded: &str) -> bool {
    encoded.split('%').skip(1).all(|after| {
        after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())
    })
}

fn digits_of(name: &str) -> &str {
    WORDS.iter().find(|(word, _)| *word == name).map_or(name, |(_, digits)| digits)
}

/// A compressed link looks like one long part of a path, and nothing tells it from any other such link.
fn no_key(parts: &[&str]) -> ScanError {
    let opaque = |part: &&str| {
        part.len() >= 10
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && part.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    if parts.last().is_some_and(opaque) { ScanError::Compressed } else { ScanError::OtherLink }
}
