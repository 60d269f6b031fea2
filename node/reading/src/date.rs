//! Dates as a mapping describes them: `DD.MM.YYYY`, `YYYYMMDD hh:mm`. Gives ISO dates and RFC 3339 times, whose
//! being a day that exists the node checks.

/// Makes a date, or a time with the given offset, of a text; `None` when it is not written so.
pub(crate) fn read(format: &str, offset: &str, text: &str) -> Option<String> {
    let (mut format, mut text) = (format, text.trim());
    let (mut year, mut month, mut day) = (None, None, None);
    let (mut hour, mut minute, mut second) = (None, None, None);
    while let Some(next) = format.chars().next() {
        let part = [
            ("YYYY", &mut year),
            ("MM", &mut month),
            ("DD", &mut day),
            ("hh", &mut hour),
            ("mm", &mut minute),
            ("ss", &mut second),
        ]
        .into_iter()
        .find(|(name, _)| format.starts_with(name));
        if let Some((name, slot)) = part {
            let (digits, rest) = text.split_at_checked(name.len())?;
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *slot = Some(digits);
            text = rest;
            format = format.get(name.len()..)?;
        } else {
            text = text.strip_prefix(next)?;
            format = format.get(next.len_utf8()..)?;
        }
    }
    if !text.is_empty() {
        return None;
    }
    let date = format!("{}-{}-{}", year?, month?, day?);
    match (hour, minute) {
        (Some(hour), Some(minute)) => {
            Some(format!("{date}T{hour}:{minute}:{}{offset}", second.unwrap_or("00")))
        }
        _ => Some(date),
    }
}

/// Whether a format names a whole date, and either no time or hours and minutes.
pub(crate) fn is_format(format: &str) -> bool {
    let has = |part| format.contains(part);
    has("YYYY") && has("MM") && has("DD") && has("hh") == has("mm") && format.len() <= 40
}
