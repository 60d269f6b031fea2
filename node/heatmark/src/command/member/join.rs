//! How an organisation joins: a member fixes the proposal's exact bytes, the newcomer's keys sign
//! them, the member submits. Refuses bytes that are no such proposal, keys that are not in the
//! entry, and submission before every new key has signed.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::place::{HomeArgs, PassphraseArgs, read_genesis};
use super::super::{entry, words};
use super::proposed;
use crate::files;
use crate::keys::{self, KeyKind};
use clap::Args;
use heatmark_client::LedgerClient;
use heatmark_ledger::execute::required_new_keys;
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction::{NONCE_BYTES, cosign as cosign_body};
use heatmark_ledger::{state, wire};
use pb::body::Payload;
use pb::propose::Action;
use prost::Message as _;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const MAX_BODY_BYTES: u64 = 65_507;
const MAX_COSIGNATURES_BYTES: u64 = 64 * 1024;
const MINUTE_MS: u64 = 60_000;

/// `member add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    node: NodeArgs,
    /// The newcomer's entry, as its `heatmark keys generate` wrote it
    #[arg(value_name = "ENTRY.json", required_unless_present = "submit", requires = "prepare")]
    entry: Option<PathBuf>,
    /// Writes the proposal's bytes to this file, for the newcomer to sign
    #[arg(long, value_name = "FILE", requires = "entry", conflicts_with = "submit")]
    prepare: Option<PathBuf>,
    /// The proposal becomes valid in so many minutes, for a newcomer that needs time to sign
    #[arg(long, value_name = "N", default_value_t = 0)]
    starts_in_minutes: u64,
    /// Submits the proposal in this file
    #[arg(long, value_name = "FILE", requires = "cosignatures")]
    submit: Option<PathBuf>,
    /// What the newcomer's `heatmark member cosign` wrote
    #[arg(long, value_name = "FILE", requires = "submit")]
    cosignatures: Option<PathBuf>,
}

/// `member cosign`.
#[derive(Debug, Args)]
pub(crate) struct Cosign {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The network's genesis file [default: genesis.note in the home]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Where to write the signatures [default: beside BODY]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What a member's `heatmark member add --prepare` wrote
    #[arg(value_name = "BODY")]
    body: PathBuf,
}

/// One signature as written in a file, in hex.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKeySignature {
    #[serde(with = "hex::serde")]
    public_key: Vec<u8>,
    #[serde(with = "hex::serde")]
    signature: Vec<u8>,
}

pub(crate) fn add(command: &Add) -> Result<Answer, Failure> {
    match (&command.entry, &command.prepare, &command.submit, &command.cosignatures) {
        (Some(entry), Some(out), ..) => prepare(command, entry, out),
        (_, _, Some(body), Some(cosignatures)) => submit(command, body, cosignatures),
        _ => Err(Failure::input("nothing to do").next("see: heatmark member add --help")),
    }
}

fn prepare(command: &Add, entry: &Path, out: &Path) -> Result<Answer, Failure> {
    let entry = entry::to_registry(&entry::read(entry)?)?;
    let reach = command.node.reach()?;
    let longest_ms = block_on(async { max_window_ms(&reach.ledger().await?).await })?
        .unwrap_or(reach.genesis.document().parameters.max_window_ms);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let delay_ms = command.starts_in_minutes.saturating_mul(MINUTE_MS);
    let not_before_ms = u64::try_from(now).unwrap_or(u64::MAX).saturating_add(delay_ms);
    let mut nonce = vec![0_u8; NONCE_BYTES];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|error| Failure::unknown("the system gives no random numbers").because(error))?;
    let name = entry.legal_name.clone();
    let propose = pb::Propose { action: Some(Action::AddMember(entry)) };
    let body = pb::Body {
        not_before_ms,
        not_after_ms: not_before_ms.saturating_add(longest_ms),
        nonce,
        payload: Some(Payload::Propose(propose)),
    };
    files::create(out, &body.encode_to_vec(), files::PUBLIC)?;
    let text = format!(
        "{} proposes to add {name:?}; it can be submitted from {} until {}.\n\
         Send it to them; they run: heatmark member cosign {} --home DIR --genesis GENESIS\n",
        out.display(),
        words::time(body.not_before_ms),
        words::time(body.not_after_ms),
        out.display(),
    );
    let json = json!({
        "body_file": out,
        "not_before_ms": body.not_before_ms,
        "not_after_ms": body.not_after_ms,
    });
    Ok(Answer::yes(json, text))
}

/// The longest window in force; none before the first block.
async fn max_window_ms(ledger: &LedgerClient) -> Result<Option<u64>, Failure> {
    let value = match ledger.state(&state::parameters_key(), None).await {
        Err(none) if none.is_not_found() => None,
        other => other?.value,
    };
    let parameters = value.and_then(|v| wire::decode::<pb::Parameters>(&v, usize::MAX).ok());
    Ok(parameters.map(|parameters| parameters.max_window_ms))
}

/// Reads a prepared proposal to add a member.
fn read_body(path: &Path) -> Result<(Vec<u8>, pb::Body, pb::Propose, String), Failure> {
    let bytes = files::read(path, MAX_BODY_BYTES)?;
    let refuse = || {
        Failure::input(format!("{} does not propose to add a member", path.display()))
            .next("ask for the file that `heatmark member add --prepare` wrote")
    };
    let body: pb::Body =
        wire::decode(&bytes, bytes.len()).map_err(|error| refuse().because(error))?;
    let Some(Payload::Propose(propose)) = body.payload.clone() else { return Err(refuse()) };
    let Some(Action::AddMember(entry)) = &propose.action else { return Err(refuse()) };
    let name = entry.legal_name.clone();
    Ok((bytes, body, propose, name))
}

pub(crate) fn cosign(command: &Cosign) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let path = command.genesis.clone().unwrap_or_else(|| home.path().join("genesis.note"));
    let network = read_genesis(&path)?.network();
    let (bytes, body, propose, name) = read_body(&command.body)?;
    let mut passphrase = command.passphrase.source();
    let mut own = Vec::new();
    for kind in [KeyKind::Root, KeyKind::Signing, KeyKind::P2p, KeyKind::Consensus] {
        match keys::load(&keys::key_path(&home, kind), kind, &mut passphrase) {
            Err(keys::KeysError::File(missing)) if missing.is_missing() => {}
            other => own.push(other?.signing_key()),
        }
    }
    let mut signatures = Vec::new();
    for needed in required_new_keys(&propose) {
        let key = own.iter().find(|key| key.verifying_key().to_bytes().as_slice() == needed);
        let key = key.ok_or_else(|| {
            Failure::no(format!("the proposal about {name:?} names a key that is not in this home"))
                .because(hex::encode(&needed))
                .next("check --home; bring root.key back for this one signature")
        })?;
        let signed = cosign_body(&network, pb::CoSigner::NewKey, key, &bytes)
            .map_err(|error| Failure::input("the key could not sign").because(error))?;
        signatures
            .push(NewKeySignature { public_key: signed.public_key, signature: signed.signature });
    }
    let out = command.out.clone().unwrap_or_else(|| {
        let mut name = command.body.clone().into_os_string();
        name.push(".cosignatures");
        name.into()
    });
    let text = serde_json::to_string_pretty(&signatures)
        .map_err(|error| Failure::input("the signatures cannot be written").because(error))?;
    files::create(&out, format!("{text}\n").as_bytes(), files::PUBLIC)?;
    let shown = format!(
        "{} holds the signatures of {} keys of {name:?}.\nSend it back; it can be submitted from {} until {}.\n",
        out.display(),
        signatures.len(),
        words::time(body.not_before_ms),
        words::time(body.not_after_ms),
    );
    Ok(Answer::yes(json!({ "cosignatures_file": out, "keys": signatures.len() }), shown))
}

fn submit(command: &Add, body: &Path, cosignatures: &Path) -> Result<Answer, Failure> {
    let (_, body, propose, _) = read_body(body)?;
    let text = files::read_text(cosignatures, MAX_COSIGNATURES_BYTES)?;
    let read: Vec<NewKeySignature> = serde_json::from_str(&text).map_err(|error| {
        Failure::input(format!("{} holds no signatures", cosignatures.display()))
            .because(error)
            .next("ask for the file that `heatmark member cosign` wrote")
    })?;
    let given = read.iter().map(|signature| signature.public_key.clone());
    if !given.eq(required_new_keys(&propose)) {
        return Err(Failure::no("these are not the signatures that the proposal needs")
            .because("each new key must sign, in the order of the entry")
            .next("have the newcomer run `heatmark member cosign` on this very file"));
    }
    let cosignatures = read
        .into_iter()
        .map(|signature| pb::CoSignature {
            purpose: pb::CoSigner::NewKey.into(),
            public_key: signature.public_key,
            signature: signature.signature,
        })
        .collect();
    let reach = command.node.reach()?;
    let proven =
        block_on(async { Ok(reach.desk().await?.sign_and_submit(body, cosignatures).await?) })?;
    Ok(proposed(&proven))
}
