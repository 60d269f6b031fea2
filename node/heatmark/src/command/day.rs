//! Days as people type them. Refuses what no calendar has.

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// The beginning of a day in UTC, written `YYYY-MM-DD`, in milliseconds since 1970; none for what is no day after that.
pub(crate) fn beginning_ms(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = (year.len(), month.len(), day.len()) == (4, 2, 2) && parts.next().is_none();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (year, month, day): (u64, u64, u64) =
        (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if !shaped || !digits || year < 1970 {
        return None;
    }
    // Days of the years before, then of the months before: simple, for dates are few.
    let mut days = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u64>();
    for before in 1..month {
        days = days.saturating_add(length(year, before)?);
    }
    let valid = (1..=length(year, month)?).contains(&day);
    let days = days.saturating_add(day.saturating_sub(1));
    (valid && days > 0).then(|| days.saturating_mul(DAY_MS))
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn length(year: u64, month: u64) -> Option<u64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_in_utc_and_nothing_else() {
        let told = |text: &str| beginning_ms(text).map(super::super::words::time);
        for date in ["1970-01-02", "2024-02-29", "2026-11-21", "2051-12-31", "2100-03-01"] {
            assert_eq!(told(date), Some(format!("{date} 00:00:00.000 UTC")));
        }
        for text in [
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-01",
            "x",
            "2026-11-21-",
            "+026-11-21",
            "1969-12-31",
            "1970-01-01",
            "2026-11-31",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
