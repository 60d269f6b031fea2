//! What the network changes about this node while it runs: a key of its own that was rotated, a
//! restart by the members that it has reached, a version that it does not know. Each takes effect
//! by starting the parts anew, or by not doing so.

use super::RunError;
use crate::home::Home;
use crate::keys::{self, KeyKind};
use heatmark_ledger::execute;
use heatmark_ledger::keys::key_id;
use heatmark_ledger::messages::KeyAlgorithm;
use heatmark_ledger::state;
use heatmark_store::Store;
use std::time::Duration;

/// Whether a next key is in force: a consensus key once the vote has put it into the set, any
/// other once it is registered.
pub(super) fn stands(store: &Store, kind: KeyKind, public: &[u8; 32]) -> bool {
    let algorithm = match kind {
        KeyKind::Envelope => KeyAlgorithm::X25519,
        KeyKind::Consensus => {
            return store.tip().next_validators.position(public).is_some();
        }
        _ => KeyAlgorithm::Ed25519,
    };
    match state::key_state(store, &key_id(algorithm, public)) {
        Ok(found) => found.is_some_and(|found| found.valid_to_height == 0),
        Err(error) => {
            tracing::error!(%error, %kind, "the registry cannot be read");
            false
        }
    }
}

/// Whether a restart was applied whose header this node has not reached.
pub(super) fn waiting(store: &Store) -> Result<bool, RunError> {
    let tip = store.tip().height;
    Ok(store.restarts()?.iter().any(|restart| restart.height > tip))
}

/// Where the engine's journal of the next height lies among the journals: in no directory of its
/// own, or in that of the era.
pub(super) fn journal_of(store: &Store) -> Option<String> {
    let restart = store.tip().chain.restart?;
    Some(crate::config::era_directory(&restart.era))
}

/// How long a node that is too old to go on serves peers that have not come as far.
const SERVE_ON: Duration = Duration::from_secs(5);

/// How long whoever waits for the very block that brought the change is still answered.
const ANSWERED: Duration = Duration::from_secs(1);

/// Resolves when a next key has come into force, a restart that was waited for has been reached, or
/// the program turns out to be too old for the next height.
pub(super) async fn changes(store: Store, home: Home) {
    let mut tips = store.subscribe();
    let waited = waiting(&store).unwrap_or(false);
    let mut seen = None;
    loop {
        let root = tips.borrow_and_update().chain.state_root;
        if seen != Some(root) {
            seen = Some(root);
            match keys::due(&home, |kind, public| stands(&store, kind, public)) {
                Ok(due) if due.is_empty() => {}
                Ok(_) => return tokio::time::sleep(ANSWERED).await,
                Err(error) => tracing::error!(%error, "a next key cannot be used"),
            }
        }
        if execute::check_version(&store, store.tip().height.next()).is_err() {
            tokio::time::sleep(SERVE_ON).await;
            return;
        }
        if waited && !waiting(&store).unwrap_or(true) {
            return;
        }
        if tips.changed().await.is_err() {
            return;
        }
    }
}
