//! Deposits that retention classes want and that are not made yet: as `escrow status` tells of them, and documents for them.

use super::super::alert::own_record;
use super::super::answer::Answer;
use super::super::cert::document_name;
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::Give;
use crate::files;
use heatmark_client::DueDepositView;
use heatmark_desk::MAX_DEPOSIT_BYTES;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(super) fn give(command: &Give) -> Result<Answer, Failure> {
    let limit = u64::try_from(MAX_DEPOSIT_BYTES).unwrap_or(u64::MAX);
    let reach = command.node.reach()?;
    let (record, given) = block_on(async {
        let (record, _) = own_record(&reach, &command.record).await?;
        let desk = reach.desk().await?;
        let mut given = Vec::with_capacity(command.documents.len());
        for path in &command.documents {
            let content = files::read(path, limit)?;
            let name = document_name(path, &Sha256::digest(&content));
            desk.keep_document(record, name.clone(), content).await?;
            given.push(name);
        }
        Ok((record, given))
    })?;
    let text = format!(
        "Given for record {}: {}\n`heatmark escrow status` shows the deposit once it is made\n",
        words::short(&record),
        given.iter().map(|name| words::on_one_line(name)).collect::<Vec<_>>().join(", "),
    );
    Ok(Answer::yes(json!({ "record_id": hex::encode(record), "documents": given }), text))
}

pub(super) fn json(due: &DueDepositView) -> Value {
    json!({
        "record_id": hex::encode(&due.record_id),
        "class": due.class,
        "published_ms": due.published_ms,
        "trouble": Some(&due.trouble).filter(|trouble| !trouble.is_empty()),
        "trouble_text": Some(&due.trouble_text).filter(|text| !text.is_empty()),
        "wanted": due.wanted.iter().map(|wanted| json!({
            "sha256": hex::encode(&wanted.sha256), "bytes": wanted.bytes,
        })).collect::<Vec<_>>(),
    })
}

pub(super) fn text(due: &[DueDepositView]) -> String {
    let mut text = String::new();
    for deposit in due {
        text.push_str(&format!(
            "\nDue: record {} as class {:?} has it, published {}\n",
            words::short(&deposit.record_id),
            words::on_one_line(&deposit.class),
            words::time(deposit.published_ms),
        ));
        if deposit.trouble.is_empty() {
            text.push_str("  waits until the record stands on the log\n");
        } else {
            let why = words::on_one_line(&deposit.trouble_text);
            text.push_str(&format!("  TROUBLE {}: {why}; it is tried again\n", deposit.trouble));
        }
        for wanted in &deposit.wanted {
            text.push_str(&format!(
                "  waits for a document of {} bytes with SHA-256 {}\n",
                wanted.bytes,
                hex::encode(&wanted.sha256)
            ));
        }
    }
    text
}
