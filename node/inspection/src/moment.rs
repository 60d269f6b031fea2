//! Times in reports and records, in UTC.

/// `2026-11-21 06:30:05 UTC`.
pub(crate) fn spoken(unix_ms: u64) -> String {
    let (day, time) = parts(unix_ms);
    format!("{day} {time} UTC")
}

/// `2026-11-21T06:30:05Z` (RFC 3339).
pub(crate) fn stamp(unix_ms: u64) -> String {
    let (day, time) = parts(unix_ms);
    format!("{day}T{time}Z")
}

fn parts(unix_ms: u64) -> (String, String) {
    let seconds = unix_ms.div_euclid(1_000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest.div_euclid(3_600), rest.rem_euclid(3_600).div_euclid(60));
    let second = rest.rem_euclid(60);
    (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{second:02}"))
}

/// Days since 1970-01-01 as a day of the calendar: whole years first, then months.
fn civil(mut days: u64) -> (u64, u64, u64) {
    // 400 years are always as many days.
    let cycles = days.div_euclid(146_097);
    days = days.rem_euclid(146_097);
    let mut year = cycles.saturating_mul(400).saturating_add(1970);
    loop {
        let length = if leap(year) { 366 } else { 365 };
        let Some(rest) = days.checked_sub(length) else { break };
        (days, year) = (rest, year.saturating_add(1));
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        let Some(rest) = days.checked_sub(length) else { break };
        (days, month) = (rest, u64::saturating_add(month, 1));
    }
    (year, month, days.saturating_add(1))
}

const fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (ms, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (1_795_284_605_123, "2026-11-21T18:10:05Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(stamp(ms), told);
        }
    }
}
