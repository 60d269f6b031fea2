//! Retention, legal hold and destruction of records, asked of the running node.

use super::super::alert::own_record;
use super::super::answer::{Answer, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::{Erase, Hold, List, OneRecord, Retain, Until};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

pub(super) fn list(command: &List) -> Result<Answer, Failure> {
    let prefix = hex::decode(command.record.as_deref().unwrap_or_default()).map_err(|_| {
        Failure::input("this is not the beginning of a record id")
            .because("a record id is hex, with an even number of digits")
    })?;
    let reach = command.node.reach()?;
    let records =
        block_on(async { Ok(reach.desk().await?.records(&prefix, command.limit).await?) })?;
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|row| {
            let kept = match (row.erased_at_ms, row.retain_until_ms) {
                (0, 0) => "until destroyed by hand".to_owned(),
                (0, until_ms) => format!("until {}", words::time(until_ms)),
                (erased_ms, _) => format!("DESTROYED {}", words::time(erased_ms)),
            };
            let hold = if row.on_hold { "on hold" } else { "" };
            vec![words::short(&row.record_id), kept, hold.to_owned(), row.file_name.clone()]
        })
        .collect();
    let json = json!({
        "records": records.iter().map(|row| json!({
            "record_id": hex::encode(&row.record_id),
            "file_name": row.file_name,
            "retain_until_ms": row.retain_until_ms,
            "on_hold": row.on_hold,
            "erased_at_ms": row.erased_at_ms,
        })).collect::<Vec<_>>(),
    });
    Ok(Answer::yes(json, table(&["RECORD", "KEPT", "HOLD", "FILE"], &rows)))
}

pub(super) fn retain(command: &Retain) -> Result<Answer, Failure> {
    let until_ms = command.until.read()?;
    let reach = command.about.node.reach()?;
    let id = block_on(async {
        let (id, _) = own_record(&reach, &command.about.record).await?;
        reach.desk().await?.retain(id, until_ms).await?;
        Ok(id)
    })?;
    let id = hex::encode(id);
    let text = if until_ms == 0 {
        format!("{id} is kept until it is destroyed by hand\n")
    } else {
        format!("{id} is kept until {}, then destroyed\n", words::time(until_ms))
    };
    Ok(Answer::yes(json!({ "record": id, "retain_until_ms": until_ms }), text))
}

pub(super) fn hold(command: &Hold) -> Result<Answer, Failure> {
    set_hold(&command.about, Some(command.reason.clone()))
}

pub(super) fn release(command: &OneRecord) -> Result<Answer, Failure> {
    set_hold(command, None)
}

fn set_hold(about: &OneRecord, reason: Option<String>) -> Result<Answer, Failure> {
    let holds = reason.is_some();
    let reach = about.node.reach()?;
    let (id, changed) = block_on(async {
        let (id, _) = own_record(&reach, &about.record).await?;
        Ok((id, reach.desk().await?.hold(id, reason).await?))
    })?;
    let id = hex::encode(id);
    let text = match (holds, changed) {
        (true, _) => format!("{id} is on hold\n"),
        (false, true) => format!("{id} is released\n"),
        (false, false) => format!("{id} was not on hold\n"),
    };
    Ok(Answer::yes(json!({ "record": id, "on_hold": holds, "changed": changed }), text))
}

pub(super) fn erase(command: &Erase) -> Result<Answer, Failure> {
    if !command.for_good {
        return Err(Failure::input("this is not done without --for-good")
            .because("what the record says can never be shown or proved again")
            .next("if you mean it, run it again with --for-good"));
    }
    let reach = command.about.node.reach()?;
    let (id, purged) = block_on(async {
        let (id, _) = own_record(&reach, &command.about.record).await?;
        Ok((id, reach.desk().await?.erase(id).await?))
    })?;
    let id = hex::encode(id);
    let rest = if purged {
        "Its key has left the disk."
    } else {
        "A backup is being made; its key leaves the disk after it."
    };
    let text = format!("What {id} said is destroyed. {rest}\nBackups made before still hold it.\n");
    Ok(Answer::yes(json!({ "record": id, "purged": purged }), text))
}

impl Until {
    /// Milliseconds since 1970; 0 for ever.
    fn read(&self) -> Result<u64, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        match (&self.until, self.days) {
            (Some(day), _) => date_ms(day).ok_or_else(|| {
                Failure::input(format!("{day:?} is no date after 1970"))
                    .next("write it as YYYY-MM-DD, for example 2051-12-31")
            }),
            (None, Some(days)) => Ok(now.saturating_add(u64::from(days).saturating_mul(DAY_MS))),
            (None, None) => Ok(0),
        }
    }
}

/// The beginning of a day in UTC.
fn date_ms(text: &str) -> Option<u64> {
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
        let told = |text: &str| date_ms(text).map(words::time);
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
