//! What a member does with its root key: rotate its other keys, leave, and have a lost root key
//! replaced. Refuses to tell the network of a key that is not on disk and synced yet.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::{find, prepared};
use crate::keys::{self, KeyKind};
use clap::{Args, ValueEnum};
use heatmark_ledger::messages as pb;
use pb::body::Payload;
use pb::propose::Action;
use prost::Message as _;
use std::path::{Path, PathBuf};

/// A key that can be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rotated {
    /// Signs transactions
    Signing,
    /// Names the node to other nodes and in TLS
    P2p,
    /// Receives what is encrypted to this organisation
    Envelope,
    /// Votes on blocks
    Consensus,
}

impl Rotated {
    fn kind(self) -> KeyKind {
        match self {
            Self::Signing => KeyKind::Signing,
            Self::P2p => KeyKind::P2p,
            Self::Envelope => KeyKind::Envelope,
            Self::Consensus => KeyKind::Consensus,
        }
    }
}

/// Where the root key signs.
#[derive(Debug, Args)]
pub(crate) struct RootArgs {
    /// The root key, when it is not in the home
    #[arg(long, value_name = "FILE", conflicts_with = "prepare")]
    root_key: Option<PathBuf>,
    /// Writes the transaction's bytes to this file, for the root key to sign elsewhere
    #[arg(long, value_name = "FILE")]
    prepare: Option<PathBuf>,
    /// It becomes valid in so many minutes, when the way to the root key is long
    #[arg(long, value_name = "N", default_value_t = 0, requires = "prepare")]
    starts_in_minutes: u64,
}

/// `member rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    root: RootArgs,
    /// Everything that the old key signed from this block on is suspect
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    compromised_since: u64,
    /// The key to replace
    #[arg(value_name = "KEY", value_enum)]
    key: Rotated,
}

/// `member leave`.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    root: RootArgs,
}

/// `member replace-root`.
#[derive(Debug, Args)]
pub(crate) struct ReplaceRoot {
    #[command(flatten)]
    node: NodeArgs,
    /// Member id, its beginning, or the legal name
    #[arg(value_name = "MEMBER")]
    member: String,
    /// The new root key's public half, as `heatmark keys root` prints it
    #[arg(long, value_name = "HEX")]
    key: String,
    /// Writes the proposal's bytes to this file, for the new root key to sign
    #[arg(long, value_name = "FILE")]
    prepare: PathBuf,
    /// It becomes valid in so many minutes, when the way to the new key is long
    #[arg(long, value_name = "N", default_value_t = 0)]
    starts_in_minutes: u64,
}

pub(super) fn rotate(command: &Rotate) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let kind = command.key.kind();
    if let Some(next) = keys::next_public(&reach.home, kind)? {
        not_under_way(&reach, &next)?;
    }
    let mut passphrase = command.node.passphrase().source();
    let next = keys::make_next(&reach.home, kind, &mut passphrase)?;
    let (Some(role), Some(public)) = (kind.registered(), next.public()) else {
        return Err(Failure::input("this key is not registered"));
    };
    let algorithm = match kind {
        KeyKind::Envelope => pb::KeyAlgorithm::X25519,
        _ => pb::KeyAlgorithm::Ed25519,
    };
    let new_key =
        pb::PublicKey { role: role.into(), algorithm: algorithm.into(), key: public.to_vec() };
    let payload = Payload::RotateKey(pb::RotateKey {
        new_key: Some(new_key),
        compromised_since: command.compromised_since,
        member: reach.member.to_vec(),
    });
    let body = prepared::body(&reach, payload, command.root.starts_in_minutes)?;
    if let Some(out) = &command.root.prepare {
        return prepared::prepared(out, &body);
    }
    let mut signatures = vec![by_root(&command.node, &reach, &command.root, &body)?];
    if algorithm == pb::KeyAlgorithm::Ed25519 {
        let network = reach.genesis.network();
        let bytes = body.encode_to_vec();
        let key = next.signing_key();
        signatures.push(prepared::sign(&network, pb::CoSigner::NewKey, &key, &bytes)?);
    }
    Ok(prepared::done(&prepared::send(&reach, body, signatures)?))
}

/// Refuses a second rotation while the key of the first is registered and not in use yet.
fn not_under_way(reach: &Reach, next: &[u8; 32]) -> Result<(), Failure> {
    let own = reach.member.to_string();
    let (_, state) = block_on(async { find(reach, &reach.ledger().await?, &own).await })?;
    let keys = state.entry.map(|entry| entry.keys).unwrap_or_default();
    if keys.iter().any(|key| key.key == next) {
        return Err(Failure::no("a rotation of this key is under way")
            .because("the network knows the next key, and the node has not put it in use yet")
            .next(
                "let the node run until `heatmark keys show` shows the new key, then rotate again",
            ));
    }
    Ok(())
}

pub(super) fn leave(command: &Leave) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let payload = Payload::Leave(pb::Leave { member: reach.member.to_vec() });
    let body = prepared::body(&reach, payload, command.root.starts_in_minutes)?;
    if let Some(out) = &command.root.prepare {
        return prepared::prepared(out, &body);
    }
    let signature = by_root(&command.node, &reach, &command.root, &body)?;
    Ok(prepared::done(&prepared::send(&reach, body, vec![signature])?))
}

fn by_root(
    node: &NodeArgs,
    reach: &Reach,
    root: &RootArgs,
    body: &pb::Body,
) -> Result<pb::CoSignature, Failure> {
    let file: Option<&Path> = root.root_key.as_deref();
    let key = prepared::root_key(&reach.home, file, &mut node.passphrase().source())?;
    let bytes = body.encode_to_vec();
    prepared::sign(&reach.genesis.network(), pb::CoSigner::Root, &key, &bytes)
}

pub(super) fn replace_root(command: &ReplaceRoot) -> Result<Answer, Failure> {
    let key = words::id(&command.key, "public key")?;
    let reach = command.node.reach()?;
    let (member, _) =
        block_on(async { find(&reach, &reach.ledger().await?, &command.member).await })?;
    let new_root = pb::PublicKey {
        role: pb::KeyRole::Root.into(),
        algorithm: pb::KeyAlgorithm::Ed25519.into(),
        key: key.to_vec(),
    };
    let replace = pb::ReplaceRoot { member: member.to_vec(), new_root: Some(new_root) };
    let propose = pb::Propose { action: Some(Action::ReplaceRoot(replace)) };
    let payload = Payload::Propose(propose);
    let body = prepared::body(&reach, payload, command.starts_in_minutes)?;
    prepared::prepared(&command.prepare, &body)
}
