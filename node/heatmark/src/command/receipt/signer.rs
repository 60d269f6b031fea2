//! Whether the key that signed a transaction still speaks for its member: proved by the state of
//! the key, online or from a file. A signature at or after the height since which its key is
//! compromised is on hold, neither verified nor refused. Specification: `proto/README.md`, section 7.

use super::super::answer::Answer;
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::Key;
use crate::files;
use heatmark_client::LedgerClient;
use heatmark_ledger::ids::{Height, KeyId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{Signing, TrustRoot, Verified, VerifiedState, verify_state_bytes};
use heatmark_ledger::state;
use heatmark_ledger::wire::{self, MAX_RECEIPT_BYTES};
use prost::Message as _;
use serde_json::json;
use std::path::PathBuf;

/// What is known of signing keys.
pub(super) struct Keys(Vec<VerifiedState>);

impl Keys {
    /// Reads and verifies proofs of the state of keys.
    pub(super) fn read(paths: &[PathBuf], trust: &TrustRoot) -> Result<Self, Failure> {
        let limit = u64::try_from(MAX_RECEIPT_BYTES).unwrap_or(u64::MAX);
        let mut keys = Vec::new();
        for path in paths {
            let proved =
                verify_state_bytes(&files::read(path, limit)?, trust).map_err(|error| {
                    Failure::input(format!("{} proves the state of no key", path.display()))
                        .because(error)
                        .next("fetch it with `heatmark receipt key`")
                })?;
            keys.push(proved);
        }
        Ok(Self(keys))
    }

    /// Since when the signer's key is compromised, where that is known to touch this transaction.
    pub(super) fn suspect(&self, verified: &Verified) -> Option<Height> {
        self.0.iter().find_map(|key| match verified.signing(key) {
            Ok(Signing::Suspect { since }) => Some(since),
            Ok(Signing::Sound) | Err(_) => None,
        })
    }
}

/// The same, asked of a node.
pub(super) async fn suspect(
    ledger: &LedgerClient,
    verified: &Verified,
) -> Result<Option<Height>, Failure> {
    let key = ledger.state(&state::key_key(&verified.signer), None).await?;
    Ok(Keys(vec![key]).suspect(verified))
}

/// What people are told of a transaction on hold.
pub(super) fn on_hold(since: Height) -> String {
    format!(
        "HOLD: its signing key is compromised since block {since}; it counts only once its member \
         reaffirms it, or a receipt by an earlier block shows that it was before"
    )
}

pub(super) fn fetch(command: &Key) -> Result<Answer, Failure> {
    let id = KeyId::from(words::id(&command.key, "key id")?);
    let reach = command.node.reach()?;
    let (proof, proved) = block_on(async {
        Ok(reach.ledger().await?.state_proof(&state::key_key(&id), None).await?)
    })?;
    let value = proved.value.ok_or_else(|| {
        Failure::no("no member has ever had this key")
            .next("`heatmark receipt show` prints the key of a receipt's signer")
    })?;
    let key: pb::KeyState = wire::decode(&value, MAX_RECEIPT_BYTES)
        .map_err(|error| Failure::unknown("the key's state cannot be read").because(error))?;
    if let Some(out) = &command.out {
        files::replace(out, &proof.encode_to_vec(), files::PUBLIC)?;
    }
    let until = match key.valid_to_height {
        0 => "on".to_owned(),
        height => format!("to block {height}, which it may no longer sign for"),
    };
    let mut text = format!(
        "Key     {id}\nMember  {}\nValid   from block {} {until}\n",
        hex::encode(&key.member),
        key.valid_from_height,
    );
    if key.compromised_since_height != 0 {
        text.push_str(&format!(
            "COMPROMISED since block {}: what it signed from there on is on hold\n",
            key.compromised_since_height
        ));
    }
    text.push_str(&format!("Proved at block {}.\n", proved.header.height));
    let json = json!({
        "key": id,
        "member": hex::encode(&key.member),
        "valid_from_height": key.valid_from_height,
        "valid_to_height": key.valid_to_height,
        "compromised_since_height": key.compromised_since_height,
        "proved_at": proved.header.height,
        "file": command.out,
    });
    Ok(Answer::yes(json, text))
}
