//! `heatmark receipt`: fetches receipts, verifies them offline, and pins headers as trust roots.
//! Verification opens no connection and reads nothing but the files named.

mod signer;

use super::answer::{Answer, Exit};
use super::connect::{NodeArgs, Reach, block_on};
use super::failure::Failure;
use super::words;
use crate::files::{self, FileError};
use clap::{Args, Subcommand};
use heatmark_client::{ClientError, LedgerClient, Proven, ReceiptOf};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::genesis::{Genesis, MAX_GENESIS_BYTES};
use heatmark_ledger::ids::TransactionId;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::wire::MAX_RECEIPT_BYTES;
use prost::Message as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with receipts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetches the receipt of a transaction, a record or a leaf, and shows what it proves
    #[command(
        after_help = "Example:\n  heatmark receipt show --home mill 9f41… --out heat-48213.receipt\n  heatmark receipt show --home mill 17"
    )]
    Show(Show),
    /// Verifies receipts offline
    #[command(
        after_help = "Example:\n  heatmark receipt verify --trust genesis.note receipts/*.receipt\n  heatmark receipt verify --trust pinned.header heat-48213.receipt\nExit codes: 0 all verified, 1 one refused, 2 one unreadable, 3 one on hold or older than the trust root.\nNeeds no node and no network."
    )]
    Verify(Verify),
    /// Fetches the proved state of a signing key: whose it is, and whether it was compromised
    #[command(
        after_help = "Example:\n  heatmark receipt key --home mill 77d0… --out forge-signing.state\n  heatmark receipt verify --trust genesis.note --key forge-signing.state heat-48213.receipt\n`heatmark receipt show` prints a receipt's signer key."
    )]
    Key(Key),
    /// Keeps the newest certified header as a trust root
    #[command(
        after_help = "Example:\n  heatmark receipt pin --home forge --out pinned.header\nKeys of validators long retired may leak one day; who pins what it has verified need not fear that."
    )]
    Pin(Pin),
}

/// `receipt show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// A transaction id, a record id of this node or its beginning, or a leaf's number
    #[arg(value_name = "TX|RECORD|LEAF")]
    of: String,
    /// Writes the receipt to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `receipt verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A signed genesis file, or a header that `heatmark receipt pin` wrote
    #[arg(long, value_name = "GENESIS|PIN")]
    trust: PathBuf,
    /// The proved state of a signing key, as `heatmark receipt key` writes it: a receipt whose
    /// signer's key was compromised by then is on hold; may be repeated
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Receipts
    #[arg(required = true, value_name = "FILE")]
    receipts: Vec<PathBuf>,
}

/// `receipt key`.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(flatten)]
    node: NodeArgs,
    /// The key's id
    #[arg(value_name = "KEY")]
    key: String,
    /// Writes the proof to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `receipt pin`.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    #[command(flatten)]
    node: NodeArgs,
    /// The file to write; an older pin of the same network is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Show(command) => show(&command),
        Command::Verify(command) => verify(&command),
        Command::Key(command) => signer::fetch(&command),
        Command::Pin(command) => pin(&command),
    }
}

fn show(command: &Show) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (proven, record, suspect) = block_on(async {
        let (proven, record) = find(&reach, &command.of).await?;
        let suspect = signer::suspect(&reach.ledger().await?, &proven.verified).await?;
        Ok((proven, record, suspect))
    })?;
    if let Some(out) = &command.out {
        files::replace(out, &proven.receipt.encode_to_vec(), files::PUBLIC)?;
    }
    let mut json = words::verified(&proven.verified);
    let mut text = words::verified_text(&proven.verified);
    if let Value::Object(fields) = &mut json {
        fields.insert("receipt_file".to_owned(), json!(command.out));
        fields.insert("record".to_owned(), json!(record));
        fields.insert("compromised_since".to_owned(), json!(suspect));
    }
    if let Some(since) = suspect {
        text.push_str(&format!("{}\n", signer::on_hold(since)));
    }
    if let Some(record) = &record {
        text.push_str(&format!(
            "Record       {} at position {} of the batch\nFile         {}\n",
            record.record_id, record.position, record.file_name
        ));
    }
    if let Some(out) = &command.out {
        text.push_str(&format!("Receipt in   {}\n", out.display()));
    }
    let exit = if suspect.is_some() { Exit::Unknown } else { Exit::Yes };
    Ok(Answer::of(exit, json, text))
}

#[derive(Debug, serde::Serialize)]
struct Record {
    record_id: String,
    file_name: String,
    position: u32,
}

async fn find(reach: &Reach, of: &str) -> Result<(Proven, Option<Record>), Failure> {
    let ledger = reach.ledger().await?;
    if of.len() < 20
        && let Ok(leaf) = of.parse()
    {
        return Ok((ledger.receipt(ReceiptOf::Leaf(LeafIndex(leaf)), None).await?, None));
    }
    if let Ok(id) = of.parse::<TransactionId>() {
        match ledger.receipt(ReceiptOf::Transaction(id), None).await {
            Err(missing) if missing.is_not_found() => {}
            other => return Ok((other?, None)),
        }
    }
    find_record(reach, &ledger, of).await
}

async fn find_record(
    reach: &Reach,
    ledger: &LedgerClient,
    of: &str,
) -> Result<(Proven, Option<Record>), Failure> {
    let prefix = hex::decode(of).ok().filter(|prefix| !prefix.is_empty()).ok_or_else(|| {
        Failure::input(format!("{of:?} is no transaction, record or leaf"))
            .because("an id is hex with an even number of digits, a leaf is a number")
    })?;
    let rows = reach.desk().await?.records(&prefix, 2).await.map_err(not_found(of))?;
    let mut rows = rows.into_iter();
    let row = match (rows.next(), rows.next()) {
        (Some(row), None) => row,
        (Some(_), Some(_)) => {
            return Err(Failure::input(format!("{of} is the beginning of several records"))
                .next("give more digits; `heatmark cert list` shows them"));
        }
        (None, _) => {
            return Err(Failure::no(format!(
                "{of} is neither a transaction on the log nor a record of this node"
            ))
            .next("`heatmark cert list` shows this node's records"));
        }
    };
    let id = TransactionId::try_from(row.transaction_id.as_slice()).map_err(|_| {
        Failure::unknown("the record is not anchored yet").next("ask again in a moment")
    })?;
    let record = Record {
        record_id: hex::encode(&row.record_id),
        file_name: row.file_name,
        position: row.position,
    };
    Ok((ledger.receipt(ReceiptOf::Transaction(id), None).await?, Some(record)))
}

/// A node that is not our own serves no records: then the id simply is not on the log.
fn not_found(of: &str) -> impl FnOnce(ClientError) -> Failure {
    let what = format!("{of} is no transaction on the log");
    move |error| match error {
        ClientError::Refused { .. } | ClientError::NotAdmitted => Failure::no(what),
        other => other.into(),
    }
}

fn verify(command: &Verify) -> Result<Answer, Failure> {
    let (kind, trust) = trust_root(&command.trust)?;
    let keys = signer::Keys::read(&command.keys, &trust)?;
    let mut rows = Vec::new();
    let mut text = String::new();
    let mut worst = Exit::Yes;
    for path in &command.receipts {
        let (exit, row, line) = verify_one(path, &trust, &keys);
        worst = graver(worst, exit);
        rows.push(row);
        text.push_str(&line);
    }
    let json = json!({
        "ok": worst == Exit::Yes,
        "trust": { "file": command.trust, "kind": kind, "height": trust.height, "network": trust.network },
        "receipts": rows,
    });
    Ok(Answer::of(worst, json, text))
}

fn verify_one(path: &Path, trust: &TrustRoot, keys: &signer::Keys) -> (Exit, Value, String) {
    let shown = path.display();
    let limit = u64::try_from(MAX_RECEIPT_BYTES).unwrap_or(u64::MAX);
    let verified = match files::read(path, limit) {
        Ok(bytes) => receipt::verify_bytes(&bytes, trust),
        // Said of a receipt by every verifier, however large the file.
        Err(FileError::TooLarge { .. }) => Err(heatmark_ledger::wire::WireError::TooLong {
            length: MAX_RECEIPT_BYTES.saturating_add(1),
            limit: MAX_RECEIPT_BYTES,
        }
        .into()),
        Err(error) => {
            let row = json!({ "file": path, "verdict": "unreadable", "why": error.to_string() });
            return (Exit::Input, row, format!("unreadable   {error}\n"));
        }
    };
    match verified {
        Ok(verified) => {
            if let Some(since) = keys.suspect(&verified) {
                let row = json!({ "file": path, "verdict": "hold", "compromised_since": since, "receipt": words::verified(&verified) });
                let line = format!("on hold      {shown}: {}\n", signer::on_hold(since));
                return (Exit::Unknown, row, line);
            }
            let row = json!({ "file": path, "verdict": "verified", "receipt": words::verified(&verified) });
            let line = format!(
                "verified     {shown}: {}, leaf {}, block {} of {}\n",
                words::payload(&verified.body),
                verified.leaf_index,
                verified.header.height,
                words::time(verified.header.time.0),
            );
            (Exit::Yes, row, line)
        }
        Err(error) => {
            let (exit, verdict) = if error.cannot_tell() {
                (Exit::Unknown, "cannot-tell")
            } else {
                (Exit::No, "refused")
            };
            let row = json!({ "file": path, "verdict": verdict, "code": error.code(), "why": error.to_string() });
            let word = if exit == Exit::No { "REFUSED     " } else { "cannot tell " };
            (exit, row, format!("{word} {shown}: {error}\n"))
        }
    }
}

/// A refusal outweighs everything; an unreadable file outweighs one that cannot be judged.
fn graver(a: Exit, b: Exit) -> Exit {
    let weight = |exit| match exit {
        Exit::Yes => 0_u8,
        Exit::Unknown => 1,
        Exit::Input | Exit::Disk | Exit::Damaged => 2,
        Exit::No => 3,
    };
    if weight(b) > weight(a) { b } else { a }
}

/// Reads a signed genesis text or a pinned header.
pub(crate) fn trust_root(path: &Path) -> Result<(&'static str, TrustRoot), Failure> {
    let limit = u64::try_from(MAX_GENESIS_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read(path, limit)?;
    if bytes.first() == Some(&b'{') {
        let genesis = Genesis::parse(&bytes)?;
        genesis.require_signed()?;
        return Ok(("genesis", TrustRoot::from_genesis(&genesis)));
    }
    let pinned = TrustRoot::from_pinned(&bytes).map_err(|error| {
        Failure::input(format!("{} is no trust root", path.display()))
            .because(error)
            .next("give a genesis file, or a header that `heatmark receipt pin` wrote")
    })?;
    Ok(("pinned", pinned))
}

fn pin(command: &Pin) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let header = block_on(async { Ok(reach.ledger().await?.header(None).await?) })?;
    let bytes = header.pin().map_err(ClientError::from)?;
    if command.out.exists() {
        let replaceable = trust_root(&command.out).is_ok_and(|(kind, old)| {
            kind == "pinned"
                && old.network == header.header.network
                && old.height <= header.header.height
        });
        if !replaceable {
            return Err(FileError::Exists(command.out.clone()).into());
        }
    }
    files::replace(&command.out, &bytes, files::PUBLIC)?;
    let pinned = &header.header;
    let json = json!({ "file": command.out, "header": words::header(pinned) });
    let text = format!(
        "Pinned block {} of {}\nHash       {}\nWritten to {}\n",
        pinned.height,
        words::time(pinned.time.0),
        pinned.hash(),
        command.out.display()
    );
    Ok(Answer::yes(json, text))
}
