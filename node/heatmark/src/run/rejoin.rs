//! A consensus key whose past votes are forgotten, because the data directory was wiped or its
//! journal damaged, must not vote where it may have voted: this decides at start whether it may,
//! and if not, from when on it may again. `node/ARCHITECTURE.md` gives the argument.
//!
//! ```text
//!   voting.json + journal + store ──decide──▶ votes at once
//!                                        └──▶ follows, puts a mark on the log, then votes
//! ```

use super::clock;
use super::error::RunError;
use crate::config::{Config, Mode};
use crate::keys::Keys;
use crate::voting::{self, Past};
use heatmark_consensus::{Application, Journal, Role, begin_journal, journal};
use heatmark_desk::{Desk, DeskError};
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_store::Store;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long to leave the network alone after it refused the mark.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Whether this node votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// Never: it is an observer.
    None,
    /// In every height whose set has its key.
    Votes,
    /// Not before its mark stands on the log.
    Waits,
}

/// What an operator reads while the node waits.
pub(super) const WAITS_FOR: &str = "this validator's earlier votes are forgotten: it follows the \
    log, and votes again once a mark that it made after its start stands on it";

/// Decides whether this node may vote, and remembers it before it does.
///
/// # Errors
/// When the settings ask for a vote without a key, or the disk fails.
pub(super) fn decide(config: &Config, keys: &Keys, tip: Height) -> Result<Voice, RunError> {
    if config.consensus.mode == Mode::Observer {
        return Ok(Voice::None);
    }
    let key = keys.consensus.as_ref().map(PublicKey::of).ok_or(RunError::NoConsensusKey)?;
    let home = config.home();
    let wal = config.wal_dir();
    let read = journal(&wal).map_err(|source| RunError::Journal { path: wal.clone(), source })?;
    let why = match (voting::past(&home, &key)?, read) {
        (Some(Past::Voted), Journal::Sound { height }) if fits(height, tip) => {
            return Ok(Voice::Votes);
        }
        (Some(Past::NeverVoted), _) => {
            renew(config)?;
            voting::remember(&home, &key, Past::Voted)?;
            return Ok(Voice::Votes);
        }
        (Some(Past::Forgotten), Journal::Sound { .. }) => {
            tracing::warn!("{WAITS_FOR}");
            return Ok(Voice::Waits);
        }
        (None, _) => format!("{} does not know this key", home.voting().display()),
        (_, Journal::Missing) => "the consensus journal is gone".to_owned(),
        (_, Journal::Damaged(why)) => format!("the consensus journal is damaged: {why}"),
        (_, Journal::Sound { height }) => {
            format!("the consensus journal is at height {height}, the database at {tip}")
        }
    };
    tracing::warn!(why, "{WAITS_FOR}");
    // Before the journal is begun anew: an empty one says that nothing was signed.
    voting::remember(&home, &key, Past::Forgotten)?;
    begin(config)?;
    Ok(Voice::Waits)
}

/// A journal is of the height after the newest block, or still of the newest while the network
/// idles; of height 0 before the engine first ran.
fn fits(journal: u64, tip: Height) -> bool {
    journal == 0 || journal == tip.0 || journal == tip.next().0
}

fn begin(config: &Config) -> Result<Option<PathBuf>, RunError> {
    let path = config.wal_dir();
    begin_journal(&path).map_err(|source| RunError::Journal { path, source })
}

/// Begins a journal in the place of one in which this node signed nothing.
fn renew(config: &Config) -> Result<(), RunError> {
    let Some(path) = begin(config)? else { return Ok(()) };
    fs::remove_file(&path).map_err(|source| RunError::Journal { path, source })
}

/// Notes that what the key signed is not known any more, so that the next start waits.
pub(super) fn forget(config: &Config, keys: &Keys) -> Result<(), RunError> {
    if let Some(key) = keys.consensus.as_ref().map(PublicKey::of) {
        voting::remember(&config.home(), &key, Past::Forgotten)?;
    }
    Ok(())
}

/// Notes that the key may vote again; to be called while the engine is stopped.
pub(super) fn may_vote_again(config: &Config, keys: &Keys) -> Result<(), RunError> {
    renew(config)?;
    if let Some(key) = keys.consensus.as_ref().map(PublicKey::of) {
        voting::remember(&config.home(), &key, Past::Voted)?;
    }
    Ok(())
}

/// The role that goes with a voice.
pub(super) fn role(voice: Voice, keys: &Keys) -> Role {
    match (voice, &keys.consensus) {
        (Voice::Votes, Some(key)) => Role::Validator(key.clone()),
        _ => Role::Observer,
    }
}

/// Resolves once this node's key has certainly voted in no height after its store's newest: when a
/// transaction that did not exist before this call stands on the log here. The height that holds it
/// was decided after the last vote that may be forgotten.
pub(super) async fn until_marked(desk: Desk, store: Store) -> Height {
    loop {
        let root = rand::random::<[u8; 32]>().to_vec();
        let mark = pb::Anchor { root, records: 1 };
        let payload = Some(pb::body::Payload::Anchor(mark));
        let body = pb::Body { payload, ..pb::Body::default() };
        match desk.sign_and_submit(body, Vec::new()).await {
            Ok(committed) => {
                let leaf = committed.leaf_index;
                let found = tokio::task::spawn_blocking({
                    let store = store.clone();
                    move || store.height_of(leaf)
                });
                if let Ok(Ok(height)) = found.await {
                    return height;
                }
            }
            Err(DeskError::Stopped) => std::future::pending().await,
            Err(error) => tracing::info!(%error, "the mark is not on the log yet"),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// How much older than this start the network's first block may be for a node that has none.
const YOUNG: Duration = Duration::from_secs(60);

/// The ledger side for a node that starts with no block at all.
pub(super) fn guarded(
    app: Arc<dyn Application>,
    voice: Voice,
    tip: Height,
) -> Arc<dyn Application> {
    if voice != Voice::Votes || tip > Height(0) {
        return app;
    }
    let young = u64::try_from(YOUNG.as_millis()).unwrap_or(u64::MAX);
    let oldest = UnixMillis(clock::now().0.saturating_sub(young));
    Arc::new(super::first_block::FirstBlock::new(app, oldest))
}

#[cfg(test)]
mod tests;
