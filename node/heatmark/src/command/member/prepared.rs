//! Transactions in three steps: one machine fixes the exact bytes, another, which may be offline,
//! signs them, the first submits. Refuses bytes that are no such transaction, keys that are not the
//! ones asked for, and submission before all have signed.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::place::{HomeArgs, PassphraseArgs, read_genesis};
use super::super::words;
use super::proposed;
use crate::files;
use crate::home::Home;
use crate::keys::{self, KeyKind, KeysError, PassphraseSource};
use clap::Args;
use ed25519_dalek::SigningKey;
use heatmark_client::{LedgerClient, Proven};
use heatmark_ledger::execute::required_new_keys;
use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction::{self, NONCE_BYTES};
use heatmark_ledger::{state, wire};
use pb::body::Payload;
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

/// How far block time may lag behind this clock when a body is to be valid at once.
const EARLY_MS: u64 = 5_000;

/// `member cosign`.
#[derive(Debug, Args)]
pub(crate) struct Cosign {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The root key, when it is not in the home
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// The network's genesis file [default: genesis.note in the home]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Where to write the signatures [default: beside BODY]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What a command with --prepare wrote
    #[arg(value_name = "BODY")]
    body: PathBuf,
}

/// `member submit`.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    node: NodeArgs,
    /// What `heatmark member cosign` wrote
    #[arg(long, value_name = "FILE")]
    cosignatures: PathBuf,
    /// What a command with --prepare wrote
    #[arg(value_name = "BODY")]
    body: PathBuf,
}

/// One signature as written in a file, in hex.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSignature {
    #[serde(with = "hex::serde")]
    public_key: Vec<u8>,
    #[serde(with = "hex::serde")]
    signature: Vec<u8>,
}

/// Whose signatures a transaction needs beside its carrier's.
enum Needed {
    /// The member's root key, then the new key itself, where it is one that signs.
    Root(Option<Vec<u8>>),
    /// New keys, in order.
    NewKeys(Vec<Vec<u8>>),
}

fn needed(body: &pb::Body) -> Option<Needed> {
    match body.payload.as_ref()? {
        Payload::RotateKey(rotate) => {
            let new = rotate.new_key.as_ref()?;
            let signs = new.algorithm() == pb::KeyAlgorithm::Ed25519;
            Some(Needed::Root(signs.then(|| new.key.clone())))
        }
        Payload::Leave(_) => Some(Needed::Root(None)),
        Payload::Propose(propose) => {
            let keys = required_new_keys(propose);
            (!keys.is_empty()).then_some(Needed::NewKeys(keys))
        }
        _ => None,
    }
}

/// A body that is valid from now on, or from so many minutes on, for as long as the network allows.
pub(super) fn body(reach: &Reach, payload: Payload, minutes: u64) -> Result<pb::Body, Failure> {
    let longest_ms = block_on(async { max_window_ms(&reach.ledger().await?).await })?
        .unwrap_or(reach.genesis.document().parameters.max_window_ms);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = u64::try_from(now).unwrap_or(u64::MAX);
    let not_before_ms = match minutes {
        0 => now_ms.saturating_sub(EARLY_MS.min(longest_ms.wrapping_div(4))),
        minutes => now_ms.saturating_add(minutes.saturating_mul(MINUTE_MS)),
    };
    let mut nonce = vec![0_u8; NONCE_BYTES];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|error| Failure::unknown("the system gives no random numbers").because(error))?;
    let not_after_ms = not_before_ms.saturating_add(longest_ms);
    Ok(pb::Body { not_before_ms, not_after_ms, nonce, payload: Some(payload) })
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

/// Writes a body for others to sign, and says what they do with it.
pub(super) fn prepared(out: &Path, body: &pb::Body) -> Result<Answer, Failure> {
    files::create(out, &body.encode_to_vec(), files::PUBLIC)?;
    let file = out.display();
    let text = format!(
        "{file} holds the {}; it can be submitted from {} until {}.\n\
         Where the key is:  heatmark member cosign {file} --root-key FILE --genesis GENESIS\n\
         Then here:         heatmark member submit {file} --cosignatures {file}.cosignatures\n",
        words::payload(body),
        words::time(body.not_before_ms),
        words::time(body.not_after_ms),
    );
    let json = json!({
        "body_file": out,
        "not_before_ms": body.not_before_ms,
        "not_after_ms": body.not_after_ms,
    });
    Ok(Answer::yes(json, text))
}

fn read_body(path: &Path) -> Result<(Vec<u8>, pb::Body, Needed), Failure> {
    let bytes = files::read(path, MAX_BODY_BYTES)?;
    let refuse = || {
        Failure::input(format!("{} is no transaction that others sign", path.display()))
            .next("ask for the file that a command with --prepare wrote")
    };
    let body = wire::decode_body(&bytes).map_err(|error| refuse().because(error))?;
    let needed = needed(&body).ok_or_else(refuse)?;
    Ok((bytes, body, needed))
}

pub(super) fn cosign(command: &Cosign) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let path = command.genesis.clone().unwrap_or_else(|| home.path().join("genesis.note"));
    let network = read_genesis(&path)?.network();
    let (bytes, body, needed) = read_body(&command.body)?;
    let mut passphrase = command.passphrase.source();
    let signatures = match needed {
        Needed::Root(_) => {
            let root = root_key(&home, command.root_key.as_deref(), &mut passphrase)?;
            vec![sign(&network, pb::CoSigner::Root, &root, &bytes)?]
        }
        Needed::NewKeys(wanted) => {
            let own = own_keys(&home, command.root_key.as_deref(), &mut passphrase)?;
            wanted
                .iter()
                .map(|key| sign_new(&network, &own, key, &bytes))
                .collect::<Result<_, Failure>>()?
        }
    };
    let out = command.out.clone().unwrap_or_else(|| {
        let mut name = command.body.clone().into_os_string();
        name.push(".cosignatures");
        name.into()
    });
    let count = signatures.len();
    write(&out, signatures)?;
    let shown = format!(
        "{} holds the signatures of {count} keys for the {}.\nSend it back; it can be submitted from {} until {}.\n",
        out.display(),
        words::payload(&body),
        words::time(body.not_before_ms),
        words::time(body.not_after_ms),
    );
    Ok(Answer::yes(json!({ "cosignatures_file": out, "keys": count }), shown))
}

fn write(out: &Path, signatures: Vec<pb::CoSignature>) -> Result<(), Failure> {
    let written: Vec<WrittenSignature> = signatures
        .into_iter()
        .map(|s| WrittenSignature { public_key: s.public_key, signature: s.signature })
        .collect();
    let text = serde_json::to_string_pretty(&written)
        .map_err(|error| Failure::input("the signatures cannot be written").because(error))?;
    Ok(files::create(out, format!("{text}\n").as_bytes(), files::PUBLIC)?)
}

/// The root key of the home, or from the file named.
pub(super) fn root_key(
    home: &Home,
    file: Option<&Path>,
    passphrase: &mut PassphraseSource,
) -> Result<SigningKey, Failure> {
    let own = keys::key_path(home, KeyKind::Root);
    Ok(keys::load(file.unwrap_or(&own), KeyKind::Root, passphrase)?.signing_key())
}

fn own_keys(
    home: &Home,
    root: Option<&Path>,
    passphrase: &mut PassphraseSource,
) -> Result<Vec<SigningKey>, Failure> {
    let mut own = Vec::new();
    if let Some(root) = root {
        own.push(keys::load(root, KeyKind::Root, passphrase)?.signing_key());
    }
    for kind in [KeyKind::Root, KeyKind::Signing, KeyKind::P2p, KeyKind::Consensus] {
        match keys::load(&keys::key_path(home, kind), kind, passphrase) {
            Err(KeysError::File(missing)) if missing.is_missing() => {}
            other => own.push(other?.signing_key()),
        }
    }
    Ok(own)
}

fn sign_new(
    network: &NetworkId,
    own: &[SigningKey],
    wanted: &[u8],
    bytes: &[u8],
) -> Result<pb::CoSignature, Failure> {
    let key = own.iter().find(|key| key.verifying_key().to_bytes().as_slice() == wanted);
    let key = key.ok_or_else(|| {
        Failure::no("the transaction names a key that is not here")
            .because(hex::encode(wanted))
            .next("check --home; bring root.key back for this one signature, or give --root-key")
    })?;
    sign(network, pb::CoSigner::NewKey, key, bytes)
}

pub(super) fn sign(
    network: &NetworkId,
    purpose: pb::CoSigner,
    key: &SigningKey,
    bytes: &[u8],
) -> Result<pb::CoSignature, Failure> {
    transaction::cosign(network, purpose, key, bytes)
        .map_err(|error| Failure::input("the key could not sign").because(error))
}

pub(super) fn submit(command: &Submit) -> Result<Answer, Failure> {
    submit_file(&command.node, &command.body, &command.cosignatures)
}

pub(super) fn submit_file(
    node: &NodeArgs,
    body: &Path,
    cosignatures: &Path,
) -> Result<Answer, Failure> {
    let (bytes, body, needed) = read_body(body)?;
    let text = files::read_text(cosignatures, MAX_COSIGNATURES_BYTES)?;
    let read: Vec<WrittenSignature> = serde_json::from_str(&text).map_err(|error| {
        Failure::input(format!("{} holds no signatures", cosignatures.display()))
            .because(error)
            .next("ask for the file that `heatmark member cosign` wrote")
    })?;
    let purpose = match &needed {
        Needed::Root(_) => pb::CoSigner::Root,
        Needed::NewKeys(_) => pb::CoSigner::NewKey,
    };
    let fits = match &needed {
        Needed::Root(_) => read.len() == 1,
        Needed::NewKeys(keys) => read.iter().map(|given| &given.public_key).eq(keys),
    };
    if !fits {
        return Err(Failure::no("these are not the signatures that the transaction needs")
            .because("the root key signs for its own member; of new keys each signs, in order")
            .next("have `heatmark member cosign` run on this very file"));
    }
    let mut signatures: Vec<pb::CoSignature> = read
        .into_iter()
        .map(|given| pb::CoSignature {
            purpose: purpose.into(),
            public_key: given.public_key,
            signature: given.signature,
        })
        .collect();
    let reach = node.reach()?;
    if let Needed::Root(Some(new)) = needed {
        signatures.push(by_next_key(node, &reach, &new, &bytes)?);
    }
    let proven = send(&reach, body, signatures)?;
    Ok(done(&proven))
}

/// The new key of a rotation, which lies in the home, signs for itself.
fn by_next_key(
    node: &NodeArgs,
    reach: &Reach,
    new: &[u8],
    bytes: &[u8],
) -> Result<pb::CoSignature, Failure> {
    for kind in KeyKind::ROTATED {
        let next = keys::next_public(&reach.home, kind)?;
        if next.is_some_and(|public| public.as_slice() == new) {
            let path = keys::next_path(&reach.home, kind);
            let key = keys::load(&path, kind, &mut node.passphrase().source())?;
            let network = reach.genesis.network();
            return sign(&network, pb::CoSigner::NewKey, &key.signing_key(), bytes);
        }
    }
    Err(Failure::no("the new key is not in this home")
        .because(hex::encode(new))
        .next("submit from the home in which the rotation was prepared"))
}

pub(super) fn send(
    reach: &Reach,
    body: pb::Body,
    cosignatures: Vec<pb::CoSignature>,
) -> Result<Proven, Failure> {
    block_on(async { Ok(reach.desk().await?.sign_and_submit(body, cosignatures).await?) })
}

/// What people are told once it stands.
pub(super) fn done(proven: &Proven) -> Answer {
    let next = match &proven.verified.body.payload {
        Some(Payload::Propose(_)) => return proposed(proven),
        Some(Payload::RotateKey(rotate)) => {
            match rotate.new_key.as_ref().map(pb::PublicKey::role) {
                Some(pb::KeyRole::Consensus) => {
                    "The old key votes until a vote moves its power to the new one:\n  heatmark member power MEMBER POWER\nThe running node changes over by itself in the very block that does.\n"
                }
                Some(pb::KeyRole::P2p) => {
                    "The running node starts its parts again under its new name. Tell the others: its\naddress ends in another /p2p/<peer id> now (heatmark keys show --peer-id).\n"
                }
                _ => {
                    "The running node takes it up by itself; the old key is kept in keys/retired.\n"
                }
            }
        }
        _ => "",
    };
    let text = format!("{}\n{next}", words::verified_text(&proven.verified));
    Answer::yes(json!({ "receipt": words::verified(&proven.verified) }), text)
}
