//! `heatmark verify`: checks disclosures offline and tells what they show or prove, by whom issued, for whom. Opens no
//! connection and reads nothing but the files named. Refuses a file that was made for somebody else.

use super::answer::{Answer, Exit};
use super::connect::own_member;
use super::failure::Failure;
use super::place::{HomeArgs, read_genesis};
use super::receipt::{graver, trust_root};
use super::words;
use crate::config::Config;
use crate::files::{self, FileError};
use crate::keys::{self, KeyKind};
use clap::Args;
use heatmark_evidence::{DisclosureError, MAX_DISCLOSURE_BYTES, Policy, Shortfall, Verified};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::{Signing, TrustRoot};
use heatmark_records::conformance::Standing;
use heatmark_records::{Decimal, Quantity, Relation, Said, Value as Field};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Largest policy file in bytes.
const MAX_POLICY_BYTES: u64 = 64 << 10;

/// `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A signed genesis file, or a header that `heatmark receipt pin` wrote
    #[arg(long, value_name = "GENESIS|PIN")]
    trust: PathBuf,
    #[command(flatten)]
    home: HomeArgs,
    /// The member for whom the files must have been made [default: whose home it is]
    #[arg(long, value_name = "MEMBER")]
    receiver: Option<MemberId>,
    /// Verifies files made for others too, as an auditor does
    #[arg(long, conflicts_with = "receiver")]
    any_receiver: bool,
    /// What has to be shown or proved, property by property
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Disclosures
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(command: &Verify) -> Result<Answer, Failure> {
    let (kind, trust) = trust_root(&command.trust)?;
    let receiver = receiver(command)?;
    let policy = command.policy.as_deref().map(read_policy).transpose()?;
    let (mut rows, mut text, mut worst) = (Vec::new(), String::new(), Exit::Yes);
    for file in &command.files {
        let (exit, row, told) = one(file, &trust, receiver.as_ref(), policy.as_ref());
        worst = graver(worst, exit);
        rows.push(row);
        text.push_str(&told);
    }
    let json = json!({
        "ok": worst == Exit::Yes,
        "trust": { "file": command.trust, "kind": kind, "height": trust.height, "network": trust.network },
        "receiver": receiver,
        "disclosures": rows,
    });
    Ok(Answer::of(worst, json, text))
}

fn receiver(command: &Verify) -> Result<Option<MemberId>, Failure> {
    if command.any_receiver || command.receiver.is_some() {
        return Ok(command.receiver);
    }
    let unknown = |why: String| {
        Failure::input("it is not known for whom the files should have been made")
            .because(why)
            .next("name --home, or --receiver MEMBER; --any-receiver checks files made for others")
    };
    let home = command.home.home()?;
    let key = keys::describe(&keys::key_path(&home, KeyKind::P2p));
    let key = key.map_err(|error| unknown(error.to_string()))?.public.unwrap_or_default();
    let key = PublicKey::from_bytes(&key).map_err(|error| unknown(error.to_string()))?;
    let config = Config::load(&home, &[]).unwrap_or_else(|_| Config::default_for(&home));
    let genesis = read_genesis(&config.genesis_path())?;
    own_member(&home, &genesis, &key).map(Some)
}

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    Policy::parse(&files::read_text(path, MAX_POLICY_BYTES)?).map_err(|error| {
        Failure::input(format!("{} is no policy", path.display())).because(error).next("mend it")
    })
}

fn one(
    file: &Path,
    trust: &TrustRoot,
    receiver: Option<&MemberId>,
    policy: Option<&Policy>,
) -> (Exit, Value, String) {
    let limit = u64::try_from(MAX_DISCLOSURE_BYTES).unwrap_or(u64::MAX);
    let verified = match files::read(file, limit) {
        Ok(bytes) => heatmark_evidence::verify(&bytes, trust, receiver),
        Err(FileError::TooLarge { .. }) => Err(DisclosureError::TooLong),
        Err(error) => {
            let row = json!({ "file": file, "verdict": "unreadable", "why": error.to_string() });
            return (Exit::Input, row, format!("unreadable   {error}\n"));
        }
    };
    match verified {
        Ok(verified) => judged(file, &verified, policy),
        Err(error) => {
            let (exit, verdict, word) = if error.cannot_tell() {
                (Exit::Unknown, "cannot-tell", "cannot tell ")
            } else {
                (Exit::No, "refused", "REFUSED     ")
            };
            let row = json!({ "file": file, "verdict": verdict, "code": error.code(), "why": error.to_string() });
            (exit, row, format!("{word} {}: {error} ({})\n", file.display(), error.code()))
        }
    }
}

fn judged(file: &Path, verified: &Verified, policy: Option<&Policy>) -> (Exit, Value, String) {
    let heard = Heard::new(verified);
    let shortfalls = policy.map(|policy| policy.shortfalls(verified)).unwrap_or_default();
    let (exit, verdict, word) = match verified.signing {
        _ if shortfalls.contains(&Shortfall::Issuer) => (Exit::No, "refused", "REFUSED     "),
        Signing::Suspect { .. } => (Exit::Unknown, "hold", "on hold     "),
        Signing::Sound if !shortfalls.is_empty() => (Exit::Unknown, "hold", "on hold     "),
        Signing::Sound => (Exit::Yes, "verified", "verified    "),
    };
    let mut json = heard.json();
    let lacks: Vec<String> = shortfalls.iter().map(ToString::to_string).collect();
    if let Value::Object(fields) = &mut json {
        fields.insert("file".to_owned(), json!(file));
        fields.insert("verdict".to_owned(), json!(verdict));
        fields.insert("lacks".to_owned(), json!(lacks));
    }
    let mut text = format!("{word} {}\n{}", file.display(), told(&heard));
    for lack in &lacks {
        text.push_str(&format!("  lacks      {lack}\n"));
    }
    (exit, json, text)
}

/// A verified disclosure, in words.
pub(crate) struct Heard<'v> {
    verified: &'v Verified,
}

impl<'v> Heard<'v> {
    pub(crate) fn new(verified: &'v Verified) -> Self {
        Self { verified }
    }

    pub(crate) fn json(&self) -> Value {
        let verified = self.verified;
        let party = |party: &heatmark_evidence::Party| json!({ "member": party.member, "legal_name": party.legal_name });
        let suspect = match verified.signing {
            Signing::Suspect { since } => Some(since),
            Signing::Sound => None,
        };
        json!({
            "record_id": hex::encode(verified.record.0),
            "form": verified.head.heading().form,
            "alert_subject": hex::encode(verified.head.heading().alert_subject),
            "issuer": party(&verified.issuer),
            "discloser": party(&verified.discloser),
            "receiver": verified.receiver,
            "purpose": verified.purpose,
            "made": words::time(verified.made.0),
            "anchored": words::verified(&verified.anchored),
            "compromised_since": suspect,
            "registry_as_of_height": verified.as_of.0,
            "registry_as_of": words::time(verified.as_of.1.0),
            "fields": verified.fields.iter().map(|(path, said)| field_json(path.as_str(), said)).collect::<Vec<_>>(),
            "conformity": verified.conformity.as_ref().map(|conformity| json!({
                "specification": conformity.specification.title,
                "specification_id": conformity.specification.id().to_string(),
                "own_limits": conformity.specification.own_limits,
                "limits": conformity.limits.iter().map(|(name, standing)| json!({
                    "name": name, "standing": word(*standing),
                })).collect::<Vec<_>>(),
            })),
        })
    }
}

const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Kept => "kept",
        Standing::Absent => "absent",
    }
}

/// What people read of a disclosure.
pub(crate) fn told(heard: &Heard<'_>) -> String {
    let verified = heard.verified;
    let party = |party: &heatmark_evidence::Party| match &party.legal_name {
        Some(name) => format!("{name} ({})", words::short(party.member.as_bytes())),
        None => party.member.to_string(),
    };
    let mut text = format!(
        "  record     {}\n  issued by  {}\n  anchored   block {} of {}\n  shown by   {}, {}\n  for        {}: {}\n",
        hex::encode(verified.record.0),
        party(&verified.issuer),
        verified.anchored.header.height,
        words::time(verified.anchored.header.time.0),
        party(&verified.discloser),
        words::time(verified.made.0),
        words::short(verified.receiver.as_bytes()),
        verified.purpose,
    );
    if let Signing::Suspect { since } = verified.signing {
        text.push_str(&format!(
            "  on hold    the issuer's key counts as stolen from block {since} on\n"
        ));
    }
    for (path, said) in &verified.fields {
        let told = match said {
            Said::Shown { value, .. } => value_text(value),
            Said::Committed(_) => "(not shown)".to_owned(),
            Said::Absent => "(the record says nothing of it)".to_owned(),
        };
        text.push_str(&format!("  {path} = {told}\n"));
    }
    if let Some(conformity) = &verified.conformity {
        let specification = &conformity.specification;
        text.push_str(&format!(
            "  proved to keep {} ({})\n",
            specification.title,
            specification.id()
        ));
        for (limit, (name, standing)) in specification.limits.iter().zip(&conformity.limits) {
            let bound = |limit: &Option<Decimal>, sign: &str| {
                limit.as_ref().map(|limit| format!(" {sign} {limit}")).unwrap_or_default()
            };
            let limits = format!(
                "{}{} {}",
                bound(&limit.minimum, "≥"),
                bound(&limit.maximum, "≤"),
                limit.unit
            );
            text.push_str(&format!("    {name}{limits}: {}\n", word(*standing)));
        }
    }
    text
}

fn field_json(path: &str, said: &Said) -> Value {
    match said {
        Said::Shown { value, .. } => json!({
            "path": path,
            "shown": value_text(value),
            "unit": match value { Field::Measured(measured) => Some(&measured.unit), _ => None },
        }),
        Said::Committed(committed) => {
            json!({ "path": path, "shown": null, "unit": committed.unit })
        }
        Said::Absent => json!({ "path": path, "absent": true }),
    }
}

/// A value as certificates write it. Line breaks of a text would pass for lines of ours.
fn value_text(value: &Field) -> String {
    match value {
        Field::Text(text) => text.replace(['\n', '\r', '\t'], " "),
        Field::Moment(moment) => moment.as_str().to_owned(),
        Field::Document(document) => {
            format!(
                "document of {} bytes, SHA-256 {}",
                document.length_bytes,
                hex::encode(document.sha256)
            )
        }
        Field::Measured(measured) => {
            let quantity = match &measured.quantity {
                Quantity::Number(relation, number) => format!("{}{number}", sign(*relation)),
                Quantity::Range { low, high, .. } => format!("{low} to {high}"),
                Quantity::Several(results) => {
                    let each = |(relation, number): &(Relation, Decimal)| {
                        format!("{}{number}", sign(*relation))
                    };
                    results.iter().map(each).collect::<Vec<_>>().join(", ")
                }
                Quantity::Balance => "balance".to_owned(),
                Quantity::Verdict(true) => "passed".to_owned(),
                Quantity::Verdict(false) => "failed".to_owned(),
            };
            format!("{quantity} {}", measured.unit).trim_end().to_owned()
        }
    }
}

const fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "",
        Relation::Less => "<",
        Relation::LessOrEqual => "≤",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => "≥",
    }
}
