//! Days in the proleptic Gregorian calendar, in UTC: what a policy's `until` comes to, and how it is printed again.

use toml::value::{Date, Datetime, Offset, Time};

const DAY_MS: u64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;
/// Days of 400 years.
const ERA: u64 = 146_097;

/// The moment from which on something "until" a date or time has ended, in Unix milliseconds: a date's end, or the very time.
/// None for a time without an offset, one before 1970, or no day of the calendar.
pub(crate) fn end_of(until: &Datetime) -> Option<u64> {
    let date = until.date?;
    let midnight = days(&date)?.checked_mul(DAY_MS)?;
    let Some(time) = until.time else {
        let only_date = until.offset.is_none();
        return midnight.checked_add(DAY_MS).filter(|_| only_date);
    };
    let offset_minutes: i16 = match until.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => minutes,
    };
    let local = midnight.checked_add(of_day(&time)?)?;
    local.checked_add_signed(i64::from(offset_minutes).checked_mul(-60_000)?)
}

/// The same as text: a date where it is one's end, else a time in UTC.
pub(crate) fn text_of(end_ms: u64) -> String {
    let (day, of_day) = (end_ms / DAY_MS, end_ms % DAY_MS);
    if of_day == 0 {
        return date_text(day.saturating_sub(1));
    }
    let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    let (hour, minute) = (minutes / 60, minutes % 60);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!("{}T{hour:02}:{minute:02}:{second:02}{fraction}Z", date_text(day))
}

fn of_day(time: &Time) -> Option<u64> {
    let second = u64::from(time.second);
    let nanos = u64::from(time.nanosecond);
    let minutes = u64::from(time.hour).checked_mul(60)?.checked_add(u64::from(time.minute))?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    seconds.checked_mul(1_000)?.checked_add(nanos / 1_000_000)
}

/// Days since 1970-01-01, as Howard Hinnant's `days_from_civil` counts them; none before that, or for no day.
fn days(date: &Date) -> Option<u64> {
    let (year, month, day) = (u64::from(date.year), u64::from(date.month), u64::from(date.day));
    // The year begins in March, so that the day that some have is the last.
    let year = if month > 2 { year } else { year.checked_sub(1)? };
    let shifted = if month > 2 { month.checked_sub(3)? } else { month.checked_add(9)? };
    let of_year = shifted.checked_mul(153)?.checked_add(2)? / 5;
    let of_year = of_year.checked_add(day)?.checked_sub(1)?;
    let leap = (year / 4).checked_add(year / 400)?.checked_sub(year / 100)?;
    let all = year.checked_mul(365)?.checked_add(leap)?.checked_add(of_year)?;
    let days = all.checked_sub(EPOCH)?;
    let (y, m, d) = civil(days);
    let same = (y, m, d) == (u64::from(date.year), month, day);
    same.then_some(days)
}

fn date_text(days: u64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01: Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(EPOCH);
    let (era, of_era) = (days / ERA, days % ERA);
    let leaps = (of_era / 1_460).saturating_add(of_era / 146_096);
    let year_of_era = of_era.saturating_add(of_era / 36_524).saturating_sub(leaps) / 365;
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era / 4)
        .saturating_sub(year_of_era / 100);
    let of_year = of_era.saturating_sub(before);
    let shifted = of_year.saturating_mul(5).saturating_add(2) / 153;
    let day = of_year.saturating_sub(shifted.saturating_mul(153).saturating_add(2) / 5);
    let month = if shifted < 10 { shifted.saturating_add(3) } else { shifted.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(year_of_era);
    let year = if month <= 2 { year.saturating_add(1) } else { year };
    (year, month, day.saturating_add(1))
}
