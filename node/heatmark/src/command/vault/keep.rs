//! Retention, legal hold and destruction of records, asked of the running node.

use super::super::alert::own_record;
use super::super::answer::{Answer, table};
use super::super::connect::block_on;
use super::super::day;
use super::super::failure::Failure;
use super::super::words;
use super::{Erase, Hold, List, OneRecord, Retain, Until};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

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
            (Some(text), _) => day::beginning_ms(text).ok_or_else(|| {
                Failure::input(format!("{text:?} is no date after 1970"))
                    .next("write it as YYYY-MM-DD, for example 2051-12-31")
            }),
            (None, Some(days)) => {
                Ok(now.saturating_add(u64::from(days).saturating_mul(day::DAY_MS)))
            }
            (None, None) => Ok(0),
        }
    }
}
