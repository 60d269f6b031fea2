//! What a node does between its start and its end: it follows its own health, stops voting at the
//! first sign that its disk cannot be relied on, and starts to vote when a forgotten past allows it.

use super::error::RunError;
use super::first_block::NotNew;
use super::rejoin::{self, Voice};
use super::{Node, consensus_config, follow};
use crate::config::Config;
use crate::keys::Keys;
use heatmark_consensus::{ConsensusHandle, Failure, StartError};
use heatmark_ledger::ids::Height;
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long `/healthz` still tells of a fault before the node ends.
const LINGER: Duration = Duration::from_secs(2);

/// Between one engine and the next. A peer that still holds a connection of the old one takes the
/// new one's for a further connection of the same, and never tells it what it subscribes to: the
/// new engine then publishes votes that nobody hears.
const ENGINES_APART: Duration = Duration::from_secs(3);

/// How long the engine's address may stay taken after the engine has ended.
const ADDRESS_FREED: Duration = Duration::from_secs(15);
const ADDRESS_POLL: Duration = Duration::from_millis(250);

/// What ends a spell of ordinary running.
enum Turn {
    Asked,
    Consensus(Result<(), Failure>),
    Trouble(RunError),
    Marked(Height),
}

impl Node {
    /// Runs until `shutdown` resolves or something fails.
    pub(super) async fn stand(
        &mut self,
        config: &Config,
        keys: &Keys,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        tokio::pin!(shutdown);
        loop {
            self.tell_waiting();
            let turn = tokio::select! {
                () = &mut shutdown => Turn::Asked,
                turn = self.turn() => turn,
            };
            let failure = match turn {
                Turn::Asked => return Ok(()),
                Turn::Consensus(Ok(())) => return Ok(()),
                Turn::Marked(height) => {
                    tracing::info!(height = height.0, "the mark is on the log: voting again");
                    end(&mut self.follows, &mut self.consensus).await?;
                    rejoin::may_vote_again(config, keys)?;
                    self.restart(config, keys, Voice::Votes).await?;
                    continue;
                }
                Turn::Consensus(Err(failure)) if is_not_new(&failure) => {
                    tracing::warn!("{NotNew}: {}", rejoin::WAITS_FOR);
                    rejoin::forget(config, keys)?;
                    self.drop_consensus().await;
                    self.restart(config, keys, Voice::Waits).await?;
                    continue;
                }
                Turn::Consensus(Err(failure)) => {
                    if matches!(failure, Failure::Log(_)) {
                        // The engine cuts a journal off where it does not read; the votes after
                        // that are forgotten.
                        rejoin::forget(config, keys)?;
                    }
                    RunError::from(failure)
                }
                Turn::Trouble(error) => error,
            };
            self.fall_silent(&failure).await;
            return Err(failure);
        }
    }

    async fn turn(&self) -> Turn {
        let mut faults = self.store.faults();
        let consensus = self.consensus.clone();
        let peers = consensus.as_ref().map(|consensus| consensus.peers());
        let finished = async {
            match &consensus {
                Some(consensus) => consensus.finished().await,
                None => Err(Failure::EngineStopped),
            }
        };
        let marked = async {
            if self.voice == Voice::Waits {
                rejoin::until_marked(self.desk.clone(), self.store.clone()).await
            } else {
                std::future::pending().await
            }
        };
        let count = async {
            let Some(mut peers) = peers else { return std::future::pending().await };
            loop {
                self.consensus_peers.send_replace(*peers.borrow_and_update());
                if peers.changed().await.is_err() {
                    return std::future::pending::<Infallible>().await;
                }
            }
        };
        let fault = async {
            match faults.wait_for(Option::is_some).await {
                Ok(fault) => fault.clone().unwrap_or_default(),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = finished => Turn::Consensus(outcome),
            error = self.disks.fail() => Turn::Trouble(error.into()),
            fault = fault => Turn::Trouble(RunError::StoreFault(fault)),
            height = marked => Turn::Marked(height),
            never = count => match never {},
        }
    }

    fn tell_waiting(&self) {
        let waits = (self.voice == Voice::Waits).then(|| rejoin::WAITS_FOR.to_owned());
        self.notices.send_modify(|notices| notices.waits_for = waits);
    }

    /// Stops voting at once, and leaves the reason where an operator looks for it.
    async fn fall_silent(&mut self, failure: &RunError) {
        let reason = super::describe(failure);
        tracing::error!(reason, "the node stops voting and ends");
        self.notices.send_modify(|notices| notices.trouble = Some(reason));
        self.drop_consensus().await;
        tokio::time::sleep(LINGER).await;
    }

    /// Ends consensus as a crash would.
    async fn drop_consensus(&mut self) {
        stop_following(&mut self.follows).await;
        if let Some(Ok(consensus)) = self.consensus.take().map(Arc::try_unwrap) {
            consensus.kill().await;
        }
    }

    async fn restart(
        &mut self,
        config: &Config,
        keys: &Keys,
        voice: Voice,
    ) -> Result<(), RunError> {
        self.voice = voice;
        tokio::time::sleep(ENGINES_APART).await;
        let begun = tokio::time::Instant::now();
        let consensus = loop {
            let settings = consensus_config(config, keys, &self.store, voice)?;
            match heatmark_consensus::start(settings, Arc::clone(&self.chain) as _).await {
                Ok(consensus) => break Arc::new(consensus),
                Err(StartError::Engine(_)) if begun.elapsed() < ADDRESS_FREED => {
                    tokio::time::sleep(ADDRESS_POLL).await;
                }
                Err(other) => return Err(other.into()),
            }
        };
        self.follows = follow(config, &self.store, &self.exchange, &consensus);
        self.consensus = Some(consensus);
        Ok(())
    }
}

/// Ends consensus in order, after the height under way.
pub(super) async fn end(
    follows: &mut JoinHandle<()>,
    consensus: &mut Option<Arc<ConsensusHandle>>,
) -> Result<(), RunError> {
    stop_following(follows).await;
    match consensus.take().map(Arc::try_unwrap) {
        Some(Ok(consensus)) => Ok(consensus.shutdown().await?),
        _ => Ok(()),
    }
}

async fn stop_following(follows: &mut JoinHandle<()>) {
    if follows.is_finished() {
        return;
    }
    follows.abort();
    // It holds consensus until it has ended; that it was cancelled is no news.
    let _ = follows.await;
}

fn is_not_new(failure: &Failure) -> bool {
    let Failure::Application { cause, .. } = failure else { return false };
    let cause: &(dyn Error + 'static) = cause.as_ref();
    // The application's error is transparent: it says what its cause says.
    cause.to_string() == NotNew.to_string()
}
