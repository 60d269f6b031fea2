//! The values that identifiers carry: check digits, character sets, days, the century of two digits.
//! After the GS1 General Specifications, sections 7.9 (check digits), 7.11 (characters) and 7.12 (years).

use crate::error::Wrong;
use std::fmt;

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// A day that exists, in the years 1000 to 9999.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1000..=9999).contains(&year)
            && (1..=12).contains(&month)
            && day >= 1
            && day <= days_in(year, month);
        exists.then_some(Self { year, month, day })
    }

    /// Reads `YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        Self::new(digits(year)?, digits(month)?, digits(day)?)
    }

    /// The year, four digits.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// `YYMMDD`, as application identifiers write it.
    pub(crate) fn six(self) -> String {
        format!("{:02}{:02}{:02}", self.year % 100, self.month, self.day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Digits as a number; nothing else, not even a sign.
pub(crate) fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    is_digits(text).then(|| text.parse().ok()).flatten()
}

pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The year that two digits mean in the year `now`: of those that end so, the one from 49 back to 50 ahead.
pub(crate) fn full_year(two: u16, now: u16) -> Option<u16> {
    let (two, now) = (i32::from(two), i32::from(now));
    let century = now.checked_sub(now.checked_rem(100)?)?;
    let year = match two.checked_sub(now.checked_rem(100)?)? {
        51..=99 => century.checked_add(two)?.checked_sub(100)?,
        -99..=-50 => century.checked_add(two)?.checked_add(100)?,
        _ => century.checked_add(two)?,
    };
    u16::try_from(year).ok()
}

/// Reads `YYMMDD`. Day 00 is the last of the month, and says so.
pub(crate) fn six_digit_day(text: &str, now: u16) -> Result<(Day, bool), Wrong> {
    let read = || {
        let year = full_year(digits(text.get(..2)?)?, now)?;
        let month = digits(text.get(2..4)?)?;
        let day = digits(text.get(4..6)?)?;
        let whole_month = day == 0;
        let day = if whole_month { days_in(year, month) } else { day };
        Some((Day::new(year, month, day)?, whole_month))
    };
    if text.len() == 6 { read().ok_or(Wrong::Day) } else { Err(Wrong::Length) }
}

/// Reads eight digits, the year first (`YYYYMMDD`) or last (`DDMMYYYY`).
pub(crate) fn eight_digit_day(text: &str, year_first: bool) -> Result<Day, Wrong> {
    if text.len() != 8 || !is_digits(text) {
        return Err(Wrong::Day);
    }
    let read = || {
        let (year, month, day) = if year_first {
            (text.get(..4)?, text.get(4..6)?, text.get(6..)?)
        } else {
            (text.get(4..)?, text.get(2..4)?, text.get(..2)?)
        };
        Day::new(digits(year)?, digits(month)?, digits(day)?)
    };
    read().ok_or(Wrong::Day)
}

/// Minutes since midnight of `hhmm`.
pub(crate) fn minute_of_day(text: &str) -> Result<u16, Wrong> {
    let read = || {
        let hour: u16 = digits(text.get(..2)?)?;
        let minute: u16 = digits(text.get(2..)?)?;
        (hour < 24 && minute < 60).then(|| hour.checked_mul(60)?.checked_add(minute)).flatten()
    };
    if text.len() == 4 { read().ok_or(Wrong::Time) } else { Err(Wrong::Time) }
}

/// The check digit that belongs after `body`: weights 3 and 1 from the right, up to the next ten.
pub(crate) fn check_digit(body: &str) -> Option<u8> {
    let mut sum: u32 = 0;
    for (position, digit) in body.bytes().rev().enumerate() {
        let value = u32::from(digit.checked_sub(b'0').filter(|value| *value <= 9)?);
        let weight = if position.is_multiple_of(2) { 3 } else { 1 };
        sum = sum.checked_add(value.checked_mul(weight)?)?;
    }
    let over = sum.checked_rem(10)?;
    u8::try_from(10_u32.checked_sub(over)?.checked_rem(10)?).ok()
}

/// Refuses digits whose last one is not their check digit.
pub(crate) fn verify_check_digit(text: &str) -> Result<(), Wrong> {
    if !is_digits(text) {
        return Err(Wrong::Character);
    }
    let (body, last) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(Wrong::Length)?;
    let right = check_digit(body).ok_or(Wrong::Character)?;
    if last.bytes().next() == right.checked_add(b'0') { Ok(()) } else { Err(Wrong::CheckDigit) }
}

/// A GTIN of 8, 12, 13 or 14 digits, filled up to 14.
pub(crate) fn gtin(text: &str) -> Result<String, Wrong> {
    if !matches!(text.len(), 8 | 12..=14) {
        return Err(Wrong::Length);
    }
    verify_check_digit(text)?;
    Ok(format!("{text:0>14}"))
}

/// GS1 character set 82.
pub(crate) fn is_set_82(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'"' | b'_')
        || matches!(byte, b'%'..=b'/' | b':'..=b'?')
}

/// GS1 character set 39.
pub(crate) fn is_set_39(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || matches!(byte, b'#' | b'-' | b'/')
}

/// GS1 character set 64, of links and signatures.
pub(crate) fn is_set_64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=')
}

#[cfg(test)]
mod tests;
