//! `heatmark verify`: checks disclosures and agreements offline and tells what they show or prove, by whom issued, for
//! whom, and what others attest of a record. Opens no connection and reads nothing but the files named. Refuses a file
//! that was made for somebody else.

mod alerts;
mod together;

pub(crate) use together::{agreed_json, agreed_text};

use alerts::Alerts;

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
use heatmark_evidence::{
    Agreed, Agreement, Bundle, DisclosureError, MAX_DISCLOSURE_BYTES, Party, Policy, Shortfall,
    Verified, verify_agreement,
};
use heatmark_inspection::value_text;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::{Signing, TrustRoot};
use heatmark_records::conformance::Standing;
use heatmark_records::{Decimal, Said, Value as Field};
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
    /// What has to be shown, proved or attested, property by property
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What stands against the records: files that `heatmark alert status --out` wrote
    #[arg(long, value_name = "FILE")]
    alerts: Vec<PathBuf>,
    /// Holds what no alert file tells of as of a block at most so many seconds old
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
    /// Disclosures and agreements; those of one record, of its attestations too, are judged together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(command: &Verify) -> Result<Answer, Failure> {
    let (kind, trust) = trust_root(&command.trust)?;
    let receiver = receiver(command)?;
    let policy = command.policy.as_deref().map(read_policy).transpose()?;
    let alerts = Alerts::read(&command.alerts, &trust, command.max_age)?;
    let (mut verified, mut agreed, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for file in &command.files {
        read.push(match read_one(file, &trust, receiver.as_ref()) {
            Read::Disclosure(disclosure) => {
                verified.push(*disclosure);
                Place::Disclosure(verified.len())
            }
            Read::Agreement(agreement) => {
                agreed.push(*agreement);
                Place::Agreement(agreed.len())
            }
            Read::Not(exit, row, told) => Place::Not(exit, row, told),
        });
    }
    let bundles = Bundle::gather(&verified, &agreed);
    let judged: Vec<Judged<'_>> =
        bundles.iter().map(|bundle| Judged::new(bundle, policy.as_ref())).collect();
    let mut told = Told::new(alerts);
    for (file, place) in command.files.iter().zip(read) {
        match place {
            Place::Disclosure(count) => {
                let read = count.checked_sub(1).and_then(|at| verified.get(at));
                let judged = |read| judged.iter().find(|judged| judged.is_of(read));
                read.into_iter().for_each(|read| told.disclosure(file, read, judged(read)));
            }
            Place::Agreement(count) => {
                let read = count.checked_sub(1).and_then(|at| agreed.get(at));
                read.into_iter().for_each(|read| told.agreement(file, read));
            }
            Place::Not(exit, row, text) => {
                told.add(exit, &text);
                told.disclosures.push(row);
            }
        }
    }
    for judged in &judged {
        told.add(judged.exit, &together::bundle_text(judged.bundle, &judged.lacks));
    }
    if policy.is_some() && judged.is_empty() && !agreed.is_empty() {
        told.add(Exit::Unknown, "on hold      no file here shows what the policy demands\n");
    }
    let json = json!({
        "ok": told.worst == Exit::Yes,
        "trust": { "file": command.trust, "kind": kind, "height": trust.height, "network": trust.network },
        "receiver": receiver,
        "disclosures": told.disclosures,
        "agreements": told.agreements,
        "records": judged.iter().map(|judged| {
            together::bundle_json(judged.bundle, judged.verdict(), &judged.lacks)
        }).collect::<Vec<_>>(),
    });
    Ok(Answer::of(told.worst, json, told.text))
}

/// What a file came to.
enum Read {
    Disclosure(Box<Verified>),
    Agreement(Box<Agreed>),
    Not(Exit, Value, String),
}

/// Where what a file came to is found: how many there were when it was read.
enum Place {
    Disclosure(usize),
    Agreement(usize),
    Not(Exit, Value, String),
}

/// A record by the policy.
struct Judged<'v> {
    bundle: &'v Bundle<'v>,
    exit: Exit,
    lacks: Vec<String>,
}

impl<'v> Judged<'v> {
    fn new(bundle: &'v Bundle<'v>, policy: Option<&Policy>) -> Self {
        let shortfalls = policy.map(|policy| policy.shortfalls(bundle)).unwrap_or_default();
        let exit = if shortfalls.contains(&Shortfall::Issuer) {
            Exit::No
        } else if shortfalls.is_empty() {
            Exit::Yes
        } else {
            Exit::Unknown
        };
        Self { bundle, exit, lacks: shortfalls.iter().map(ToString::to_string).collect() }
    }

    fn is_of(&self, verified: &Verified) -> bool {
        self.bundle.record() == &verified.record
    }

    fn verdict(&self) -> &'static str {
        verdict(self.exit).0
    }
}

const fn verdict(exit: Exit) -> (&'static str, &'static str) {
    match exit {
        Exit::Yes => ("verified", "verified    "),
        Exit::Unknown => ("hold", "on hold     "),
        _ => ("refused", "REFUSED     "),
    }
}

/// What is said of all files.
struct Told {
    worst: Exit,
    text: String,
    disclosures: Vec<Value>,
    agreements: Vec<Value>,
    alerts: Alerts,
}

impl Told {
    fn new(alerts: Alerts) -> Self {
        let (disclosures, agreements) = (Vec::new(), Vec::new());
        Self { worst: Exit::Yes, text: String::new(), disclosures, agreements, alerts }
    }

    fn add(&mut self, exit: Exit, text: &str) {
        self.worst = graver(self.worst, exit);
        self.text.push_str(text);
    }

    /// An attestation's file is judged with the record that it attests, not by itself.
    fn disclosure(&mut self, file: &Path, read: &Verified, judged: Option<&Judged<'_>>) {
        let heard = Heard::new(read);
        let by_policy = judged.map_or(Exit::Yes, |judged| judged.exit);
        let by_key = match read.signing {
            Signing::Suspect { .. } => Exit::Unknown,
            Signing::Sound => Exit::Yes,
        };
        let stands = self.alerts.of(&read.head.heading().alert_subject);
        let exit = graver(graver(by_policy, by_key), stands.exit);
        let (name, word) = verdict(exit);
        let lacks = judged.map(|judged| judged.lacks.as_slice()).unwrap_or_default();
        let mut json = heard.json();
        if let Value::Object(fields) = &mut json {
            fields.insert("file".to_owned(), json!(file));
            fields.insert("verdict".to_owned(), json!(name));
            fields.insert("lacks".to_owned(), json!(lacks));
            fields.insert("alerts".to_owned(), stands.json);
        }
        self.disclosures.push(json);
        let text = format!("{word} {}\n{}{}", file.display(), told(&heard), stands.text);
        self.add(exit, &text);
    }

    fn agreement(&mut self, file: &Path, read: &Agreed) {
        let exit = if together::is_sound(read) { Exit::Yes } else { Exit::Unknown };
        let (name, word) = verdict(exit);
        let mut json = agreed_json(read);
        if let Value::Object(fields) = &mut json {
            fields.insert("file".to_owned(), json!(file));
            fields.insert("verdict".to_owned(), json!(name));
        }
        self.agreements.push(json);
        self.add(exit, &format!("{word} {}\n{}", file.display(), agreed_text(read)));
    }
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

fn read_one(file: &Path, trust: &TrustRoot, receiver: Option<&MemberId>) -> Read {
    let limit = u64::try_from(MAX_DISCLOSURE_BYTES).unwrap_or(u64::MAX);
    let error = match files::read(file, limit) {
        Ok(bytes) if is_agreement(file, &bytes) => {
            match verify_agreement(&bytes, trust, receiver) {
                Ok(agreed) => return Read::Agreement(Box::new(agreed)),
                Err(error) => error,
            }
        }
        Ok(bytes) => match heatmark_evidence::verify(&bytes, trust, receiver) {
            Ok(verified) => return Read::Disclosure(Box::new(verified)),
            Err(error) => error,
        },
        Err(FileError::TooLarge { .. }) => DisclosureError::TooLong,
        Err(error) => {
            let row = json!({ "file": file, "verdict": "unreadable", "why": error.to_string() });
            return Read::Not(Exit::Input, row, format!("unreadable   {error}\n"));
        }
    };
    let (exit, verdict, word) = if error.cannot_tell() {
        (Exit::Unknown, "cannot-tell", "cannot tell ")
    } else {
        (Exit::No, "refused", "REFUSED     ")
    };
    let row =
        json!({ "file": file, "verdict": verdict, "code": error.code(), "why": error.to_string() });
    Read::Not(exit, row, format!("{word} {}: {error} ({})\n", file.display(), error.code()))
}

/// By its content, or where that is damaged by its name.
fn is_agreement(file: &Path, bytes: &[u8]) -> bool {
    file.extension().is_some_and(|extension| extension == "agreement")
        || Agreement::decode(bytes).is_ok()
}

fn party_json(party: &Party) -> Value {
    json!({ "member": party.member, "legal_name": party.legal_name })
}

fn party_text(party: &Party) -> String {
    match &party.legal_name {
        Some(name) => format!("{name} ({})", words::short(party.member.as_bytes())),
        None => party.member.to_string(),
    }
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
        let suspect = match verified.signing {
            Signing::Suspect { since } => Some(since),
            Signing::Sound => None,
        };
        json!({
            "record_id": hex::encode(verified.record.0),
            "form": verified.head.heading().form,
            "alert_subject": hex::encode(verified.head.heading().alert_subject),
            "issuer": party_json(&verified.issuer),
            "discloser": party_json(&verified.discloser),
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
    let mut text = format!(
        "  record     {}\n  issued by  {}\n  anchored   block {} of {}\n  shown by   {}, {}\n  for        {}: {}\n",
        hex::encode(verified.record.0),
        party_text(&verified.issuer),
        verified.anchored.header.height,
        words::time(verified.anchored.header.time.0),
        party_text(&verified.discloser),
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
        text.push_str(&format!("  {path} = {}\n", field_text(said)));
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

/// What a record says of a field, on one line.
pub(crate) fn field_text(said: &Said) -> String {
    match said {
        Said::Shown { value, .. } => value_text(value),
        Said::Committed(_) => "(not shown)".to_owned(),
        Said::Absent => "(the record says nothing of it)".to_owned(),
    }
}

/// The same for machines.
pub(crate) fn field_json(path: &str, said: &Said) -> Value {
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
