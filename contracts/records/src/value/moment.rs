//! Dates and times as certificates write them: `2026-03-31`, or RFC 3339 with an offset. Kept as written, so that
//! what is shown is what was signed for. Refuses days that do not exist.

use crate::RecordError;

/// A calendar date, or a date and time with its offset from UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment(String);

impl Moment {
    /// Reads a date (`YYYY-MM-DD`) or a time (RFC 3339 §5.6).
    ///
    /// # Errors
    /// `BadMoment` when it is neither.
    pub fn new(text: &str) -> Result<Self, RecordError> {
        let valid = text.is_ascii()
            && match text.split_at_checked(10) {
                Some((date, "")) => is_date(date),
                Some((date, time)) => is_date(date) && is_time(time),
                None => false,
            };
        if valid { Ok(Self(text.to_owned())) } else { Err(RecordError::BadMoment) }
    }

    /// The date or time as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a date without a time.
    #[must_use]
    pub fn is_date(&self) -> bool {
        self.0.len() == 10
    }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (year, month, day) =
        (number(parts.next(), 4), number(parts.next(), 2), number(parts.next(), 2));
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    (1..=days_in(year, month)).contains(&day)
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// The part of an RFC 3339 time that follows the date: `T`, hours to seconds, a fraction, an offset.
fn is_time(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['T', 't']) else { return false };
    let Some((clock, rest)) = rest.split_at_checked(8) else { return false };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = fraction.len().saturating_sub(after.len());
            if !(1..=9).contains(&digits) {
                return false;
            }
            after
        }
        None => rest,
    };
    is_clock(clock, 60) && is_offset(rest)
}

fn is_clock(text: &str, last_second: u32) -> bool {
    let mut parts = text.split(':');
    let (hour, minute, second) =
        (number(parts.next(), 2), number(parts.next(), 2), number(parts.next(), 2));
    let (Some(hour), Some(minute), Some(second), None) = (hour, minute, second, parts.next())
    else {
        return false;
    };
    hour < 24 && minute < 60 && second <= last_second
}

fn is_offset(text: &str) -> bool {
    if matches!(text, "Z" | "z") {
        return true;
    }
    let Some(clock) = text.strip_prefix(['+', '-']) else { return false };
    let mut parts = clock.split(':');
    let (hour, minute) = (number(parts.next(), 2), number(parts.next(), 2));
    matches!((hour, minute, parts.next()), (Some(hour), Some(minute), None) if hour < 24 && minute < 60)
}

fn number(text: Option<&str>, digits: usize) -> Option<u32> {
    let text = text?;
    if text.len() == digits && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
