//! What stands against a record as of the newest certified header, with that header's age: from a
//! node, every entry proved at one height, or from a file, offline. An old header is no news, so
//! beyond the age asked for it cannot be told.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::receipt::trust_root;
use super::super::words;
use super::{Age, Status, Verify, own_record};
use crate::files;
use heatmark_client::LedgerClient;
use heatmark_desk::SUPERSEDED_BY;
use heatmark_ledger::alerts::{self, Standing};
use heatmark_ledger::ids::{AlertSubject, Height, MemberId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::wire::{self, MAX_RECEIPT_BYTES};
use heatmark_ledger::{header::Header, state};
use heatmark_records::RecordId;
use prost::Message as _;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who has acknowledged the last word of the issuer (none) and of each concern.
type Acknowledged = Vec<(Option<MemberId>, Vec<MemberId>)>;

pub(super) fn status(command: &Status) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (proof, acknowledged) = block_on(async {
        let (own, subject) = match own_record(&reach, &command.subject).await {
            Ok((id, subject)) => (Some(id), subject),
            Err(failure) => match words::id(&command.subject, "alert subject") {
                Ok(subject) => (None, subject),
                Err(_) => return Err(failure),
            },
        };
        let ledger = reach.ledger().await?;
        let (mut proof, members) = fetch(&ledger, &AlertSubject::from(subject)).await?;
        if command.reason {
            let own = own.ok_or_else(|| {
                Failure::input("only the issuer's node knows why an alert was raised")
                    .next("leave --reason out, or name a record of your own node")
            })?;
            proof.reasons = Vec::from_iter(reach.desk().await?.explain_alert(own).await?);
        }
        let standing = alerts::verify(&proof, &reach.trust).map_err(untrue)?;
        let acknowledged = acknowledged(&ledger, &standing, &members).await?;
        Ok((proof, acknowledged))
    })?;
    let standing = alerts::verify(&proof, &reach.trust).map_err(untrue)?;
    if let Some(out) = &command.out {
        files::replace(out, &proof.encode_to_vec(), files::PUBLIC)?;
    }
    Ok(answer(&standing, Some(&acknowledged), &command.age, command.out.as_deref()))
}

pub(super) fn verify(command: &Verify) -> Result<Answer, Failure> {
    let (_, trust) = trust_root(&command.trust)?;
    Ok(answer(&read(&command.file, &trust)?, None, &command.age, None))
}

/// Reads and verifies a file.
pub(crate) fn read(file: &Path, trust: &TrustRoot) -> Result<Standing, Failure> {
    let limit = u64::try_from(MAX_RECEIPT_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read(file, limit)?;
    alerts::verify_bytes(&bytes, trust).map_err(|error| {
        let shown = file.display();
        if error.cannot_tell() {
            return Failure::unknown(format!("{shown} does not tell what stands"))
                .because(error)
                .next("ask a node for a newer one: heatmark alert status --out FILE");
        }
        Failure::no(format!("{shown} is refused"))
            .because(error)
            .next("do not rely on it; ask a node yourself: heatmark alert status")
    })
}

/// The record that takes the place of a superseded one, where the file says why it is superseded.
pub(crate) fn superseded_by(standing: &Standing) -> Option<&str> {
    lines(standing, None).iter().find_map(|line| match line.concern_of {
        None => line.superseded_by(),
        Some(_) => None,
    })
}

fn untrue(error: heatmark_ledger::receipt::ReceiptError) -> Failure {
    heatmark_client::ClientError::from(error).into()
}

/// Every entry, proved at the newest height.
async fn fetch(
    ledger: &LedgerClient,
    subject: &AlertSubject,
) -> Result<(pb::AlertProof, Vec<MemberId>), Failure> {
    let (first, proved) = ledger.state_proof(&state::alert_key(subject), None).await?;
    let height = proved.header.height;
    let (second, listed) = ledger.state_proof(&state::members_key(), Some(height)).await?;
    let members = members_of(listed.value)?;
    let mut proof = pb::AlertProof {
        subject: subject.to_vec(),
        header: first.header.clone(),
        certificate: first.certificate.clone(),
        set_changes: first.set_changes.clone(),
        entries: vec![entry(first), entry(second)],
        reasons: Vec::new(),
    };
    for member in &members {
        let key = state::concern_key(subject, member);
        let (concern, _) = ledger.state_proof(&key, Some(height)).await?;
        proof.entries.push(entry(concern));
    }
    Ok((proof, members))
}

fn entry(proof: pb::StateProof) -> pb::StateEntry {
    pb::StateEntry { value: proof.value, present: proof.present, proof: proof.proof }
}

fn members_of(value: Option<Vec<u8>>) -> Result<Vec<MemberId>, Failure> {
    let damaged = || Failure::no("the node's state is damaged");
    let index: pb::MemberIndex = wire::decode(&value.unwrap_or_default(), MAX_RECEIPT_BYTES)
        .map_err(|error| damaged().because(error))?;
    let ids = index.members.iter().map(|id| MemberId::try_from(id.as_slice()).ok());
    ids.collect::<Option<_>>().ok_or_else(damaged)
}

async fn acknowledged(
    ledger: &LedgerClient,
    standing: &Standing,
    members: &[MemberId],
) -> Result<Acknowledged, Failure> {
    let concerns = standing.concerns.iter().map(|(of, alert)| (Some(*of), alert));
    let all = standing.issuers.iter().map(|alert| (None, alert)).chain(concerns);
    let mut acknowledged = Vec::new();
    for (concern_of, alert) in all {
        let mut by = Vec::new();
        for member in members {
            let key = state::acknowledgement_key(&standing.subject, concern_of.as_ref(), member);
            let height = Some(standing.header.height);
            if seen(ledger, &key, height).await? == Some(alert.sequence) {
                by.push(*member);
            }
        }
        acknowledged.push((concern_of, by));
    }
    Ok(acknowledged)
}

/// The sequence that a member has acknowledged.
async fn seen(
    ledger: &LedgerClient,
    key: &[u8],
    height: Option<Height>,
) -> Result<Option<u64>, Failure> {
    let Some(value) = ledger.state(key, height).await?.value else { return Ok(None) };
    let state: pb::AcknowledgementState = wire::decode(&value, MAX_RECEIPT_BYTES)
        .map_err(|error| Failure::no("the node's state is damaged").because(error))?;
    Ok(Some(state.sequence))
}

fn answer(
    standing: &Standing,
    acknowledged: Option<&Acknowledged>,
    age: &Age,
    out: Option<&Path>,
) -> Answer {
    let stands = standing.level() != pb::AlertLevel::Clear;
    let seconds = age_seconds(&standing.header);
    let old = age.max_age.is_some_and(|most| seconds > most);
    let exit = match (stands, old) {
        (true, _) => Exit::No,
        (false, true) => Exit::Unknown,
        (false, false) => Exit::Yes,
    };
    let lines = lines(standing, acknowledged);
    let header = &standing.header;
    let json = json!({
        "subject": standing.subject,
        "stands": stands,
        "level": words::level(standing.level()),
        "header": words::header(header),
        "age_seconds": seconds,
        "too_old": old,
        "alerts": lines.iter().map(Line::described).collect::<Vec<_>>(),
        "file": out,
    });
    let mut text = format!("Subject  {}\n", standing.subject);
    if lines.is_empty() {
        text.push_str("Nothing has ever been raised against it.\n");
    } else {
        let rows: Vec<Vec<String>> = lines.iter().map(Line::row).collect();
        text.push_str(&table(&["LEVEL", "BY", "SEQUENCE", "BLOCK", "ACKNOWLEDGED BY"], &rows));
        for reason in lines.iter().filter_map(|line| line.reason) {
            text.push_str(&format!("Reason   {}\n", words::on_one_line(reason)));
        }
    }
    text.push_str(&format!(
        "As of    block {} of {}, {} ago\n",
        header.height,
        words::time(header.time.0),
        spoken(seconds),
    ));
    if old {
        text.push_str("TOO OLD: what came since is not known. Ask a node for a newer one.\n");
    }
    if let Some(out) = out {
        text.push_str(&format!("Proof in {}\n", out.display()));
    }
    Answer::of(exit, json, text)
}

/// How long ago a header was made, by this machine's clock; 0 for one ahead of it.
pub(crate) fn age_seconds(header: &Header) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_sub(header.time.0.div_euclid(1_000))
}

pub(crate) fn spoken(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_euclid(60)),
        7_200..172_800 => format!("{} h", seconds.div_euclid(3_600)),
        _ => format!("{} days", seconds.div_euclid(86_400)),
    }
}

/// The issuer's alert, or a concern.
struct Line<'s> {
    concern_of: Option<MemberId>,
    alert: &'s pb::AlertState,
    /// None where it was not asked.
    acknowledged: Option<&'s [MemberId]>,
    /// None where it was not told.
    reason: Option<&'s str>,
}

fn lines<'s>(standing: &'s Standing, acknowledged: Option<&'s Acknowledged>) -> Vec<Line<'s>> {
    let concerns = standing.concerns.iter().map(|(of, alert)| (Some(*of), alert));
    let all = standing.issuers.iter().map(|alert| (None, alert)).chain(concerns);
    all.map(|(concern_of, alert)| {
        let by = acknowledged.and_then(|all| all.iter().find(|(of, _)| *of == concern_of));
        let acknowledged = by.map(|(_, by)| by.as_slice());
        Line { concern_of, alert, acknowledged, reason: standing.reason(alert) }
    })
    .collect()
}

impl<'s> Line<'s> {
    fn row(&self) -> Vec<String> {
        let by = self.concern_of.map_or_else(
            || "the issuer".to_owned(),
            |member| format!("concern of {}", words::short(&member.to_vec())),
        );
        vec![
            words::level(self.alert.level()).to_owned(),
            by,
            self.alert.sequence.to_string(),
            self.alert.height.to_string(),
            self.acknowledged.map_or_else(|| "?".to_owned(), |by| by.len().to_string()),
        ]
    }

    /// The record that the reason names, as a node words it by itself.
    fn superseded_by(&self) -> Option<&'s str> {
        let by = self.reason?.strip_prefix(SUPERSEDED_BY)?;
        let superseded = self.alert.level() == pb::AlertLevel::Superseded;
        (superseded && by.parse::<RecordId>().is_ok()).then_some(by)
    }

    fn described(&self) -> Value {
        json!({
            "level": words::level(self.alert.level()),
            "concern_of": self.concern_of,
            "sequence": self.alert.sequence,
            "height": self.alert.height,
            "leaf_index": self.alert.leaf_index,
            "reason_digest": hex::encode(&self.alert.reason_digest),
            "reason": self.reason,
            "superseded_by": self.superseded_by(),
            "acknowledged_by": self.acknowledged,
        })
    }
}
