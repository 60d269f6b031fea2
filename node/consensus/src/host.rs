//! The engine's application: answers each of its questions from the ledger side, in order. Stops
//! for good on the first failure, because a validator that guesses may sign twice.
//!
//! ```text
//! GetValue, RestreamProposal ─────────────── propose
//! ReceivedProposalPart, StartedRound ─────── receive
//! Decided, Finalized ─────────────────────── decide, pace
//! GetDecidedValues, ProcessSyncedValue ───── serve
//! ConsensusReady ─────────────────────────── here
//! ```

mod decide;
mod pace;
mod propose;
mod receive;
mod serve;

use arc_malachitebft_app_channel::app::consensus::VoteExtensionError;
use arc_malachitebft_app_channel::app::engine::host::Next;
use arc_malachitebft_app_channel::app::engine::util::events::Event;
use arc_malachitebft_app_channel::app::events::RxEvent;
use arc_malachitebft_app_channel::app::types::SignedConsensusMsg;
use arc_malachitebft_app_channel::app::types::core::{
    HeightParams, LinearTimeouts, Round, SignedMessage, ValidatorSet as _,
};
use arc_malachitebft_app_channel::{AppMsg, NetworkMsg, NetworkRequest, Reply};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, trace, warn};

use crate::application::{Application, ApplicationError, Newest};
use crate::context::{Address, Heatmark, Height, Proposal, ValidatorSet, Vote};
use crate::engine::{ConsensusUnavailable, connected_peers};
use crate::error::Failure;
use crate::parts::Assembly;
use crate::signing::verifies_vote;
use crate::turns::Turns;
use heatmark_ledger::restart::Eras;
use pace::Pace;

/// How long a stopping node waits for the height under way.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// How often a starting validator looks whether its peers are there.
const GATHER_POLL: Duration = Duration::from_millis(20);

/// How long subscriptions take to travel once a connection stands.
const SUBSCRIBE: Duration = Duration::from_millis(60);

/// What the host is told at its start.
pub(crate) struct Settings {
    pub(crate) eras: Eras,
    pub(crate) address: Address,
    pub(crate) timeouts: LinearTimeouts,
    pub(crate) block_time: Duration,
    pub(crate) gather: Duration,
}

/// The ends of the engine's channels that the host holds.
pub(crate) struct Ends {
    pub(crate) questions: mpsc::Receiver<AppMsg<Heatmark>>,
    pub(crate) network: mpsc::Sender<NetworkMsg<Heatmark>>,
    pub(crate) requests: mpsc::Sender<NetworkRequest>,
    pub(crate) events: RxEvent<Heatmark>,
    pub(crate) stop: watch::Receiver<bool>,
    /// The highest height that a peer says it has.
    pub(crate) claimed: watch::Receiver<heatmark_ledger::ids::Height>,
    pub(crate) height: watch::Sender<heatmark_ledger::ids::Height>,
}

/// The answer to the engine's `Finalized`, held back while the network is idle.
type HeldReply = Reply<Next<Heatmark>>;

pub(crate) struct Host {
    app: Arc<dyn Application>,
    settings: Settings,
    ends: Ends,
    newest: Newest,
    /// The set of the height after the newest.
    set: ValidatorSet,
    /// Certificate signatures stored for the newest height.
    stored_signatures: usize,
    /// The set of the newest height, while its certificate may still grow.
    deciding_set: Option<heatmark_ledger::validators::ValidatorSet>,
    round: Round,
    /// The height that the engine has started last.
    started: Height,
    assembly: Assembly,
    receiving: receive::Receiving,
    pace: Pace,
    turns: Turns,
    held: Option<HeldReply>,
    wants: watch::Receiver<bool>,
}

impl Host {
    pub(crate) fn new(
        app: Arc<dyn Application>,
        settings: Settings,
        ends: Ends,
        newest: Newest,
    ) -> Self {
        let wants = app.wants_block();
        Self {
            set: ValidatorSet::from(&newest.next_validators),
            pace: Pace::new(Instant::now(), newest.heartbeat),
            app,
            settings,
            ends,
            newest,
            stored_signatures: 0,
            deciding_set: None,
            round: Round::Nil,
            started: Height::default(),
            assembly: Assembly::default(),
            receiving: receive::Receiving::default(),
            turns: Turns::default(),
            held: None,
            wants,
        }
    }

    /// Answers until told to stop.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        let mut stop_by: Option<Instant> = None;
        loop {
            self.start_next_height();
            let stopping = stop_by.is_some();
            if stopping && self.held.is_some() {
                return Ok(());
            }
            let deadline = stop_by.unwrap_or_else(|| self.pace.heartbeat_due());
            tokio::select! {
                biased;
                stop = self.ends.stop.changed(), if !stopping => {
                    if stop.is_err() || *self.ends.stop.borrow() {
                        stop_by = Some(pace::after(Instant::now(), STOP_WITHIN));
                    }
                }
                question = self.ends.questions.recv() => match question {
                    Some(question) => self.answer(question).await?,
                    None => return Err(self.engine_stopped()),
                },
                event = self.ends.events.recv() => self.observe(event)?,
                wants = self.wants.changed(), if self.held.is_some() => {
                    if wants.is_err() {
                        // Nobody will ever want a block again: the application is going away.
                        self.held = None;
                        return Ok(());
                    }
                }
                Ok(()) = self.ends.claimed.changed(), if self.held.is_some() => {}
                () = tokio::time::sleep_until(deadline.into()), if stopping || (self.held.is_some() && !self.newest.halted) => {
                    if stopping {
                        debug!("stopping within an undecided height");
                        return Ok(());
                    }
                }
            }
        }
    }

    fn next_height(&self) -> Height {
        self.newest.height.next().into()
    }

    fn params(&self) -> HeightParams<Heatmark> {
        let target = Some(self.pace.block_time(self.settings.block_time));
        let (full, own) = (self.settings.timeouts, &self.settings.address);
        let timeouts = self.turns.timeouts(full, &self.set, own, self.next_height());
        HeightParams::new(self.set.clone(), timeouts, target)
    }

    fn start_next_height(&mut self) {
        let newest = self.newest.height.into();
        let wanted = *self.wants.borrow_and_update();
        self.pace.claimed(*self.ends.claimed.borrow_and_update());
        if self.newest.halted {
            return;
        }
        if self.held.is_none() || !self.pace.go(Instant::now(), newest, &self.set, wanted) {
            return;
        }
        if let Some(reply) = self.held.take() {
            let next = Next::Start(self.next_height(), self.params());
            // A refused answer means that the engine is stopping, which the next question tells.
            let _ = reply.send(next);
        }
    }

    async fn answer(&mut self, question: AppMsg<Heatmark>) -> Result<(), Failure> {
        match question {
            AppMsg::ConsensusReady { reply } => {
                self.gather().await;
                info!(height = self.next_height().0, "consensus starts");
                let _ = reply.send((self.next_height(), self.params()));
            }
            AppMsg::StartedRound { height, round, reply_value, .. } => {
                let _ = reply_value.send(self.started_round(height, round).await?);
            }
            AppMsg::GetValue { height, round, reply, .. } => {
                self.get_value(height, round, reply).await?;
            }
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                let heading = crate::parts::Heading {
                    height,
                    round,
                    valid_round,
                    proposer: address,
                    block: value_id,
                };
                self.publish_again(heading).await?;
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let _ = reply.send(self.received_part(from, published_by, part).await?);
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.decided(&certificate).await?;
                let _ = reply.send(());
            }
            AppMsg::Finalized { certificate, evidence, reply, .. } => {
                self.finalized(&certificate, &evidence).await?;
                self.held = Some(reply);
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let earliest =
                    self.ask("reading the earliest height", |app| app.earliest()).await?;
                let _ = reply.send(earliest.into());
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let _ = reply.send(self.decided_values(range).await?);
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.synced_value((height, round), proposer, value_bytes).await?;
                let _ = reply.send(outcome);
            }
            // Vote extensions are disabled: the engine asks neither.
            AppMsg::ExtendVote { reply, .. } => {
                let _ = reply.send(None);
            }
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let refused =
                    |(address, ())| (address, Err(VoteExtensionError::InvalidVoteExtension));
                let _ = reply.send(extensions.into_iter().map(refused).collect());
            }
        }
        Ok(())
    }

    /// Asks the ledger side, off this task.
    async fn ask<T: Send + 'static>(
        &self,
        during: &'static str,
        question: impl FnOnce(&dyn Application) -> Result<T, ApplicationError> + Send + 'static,
    ) -> Result<T, Failure> {
        let app = Arc::clone(&self.app);
        let answer = tokio::task::spawn_blocking(move || question(app.as_ref())).await;
        let answer = answer.unwrap_or_else(|panic| Err(ApplicationError::new(panic)));
        answer.map_err(|cause| Failure::Application { during, cause: Arc::new(cause) })
    }

    /// Waits for enough peers to decide with: a first round without them is lost and costs its
    /// timeouts. The engine is ready as soon as it listens.
    async fn gather(&self) {
        let quorum = self.set.count().saturating_mul(2).wrapping_div(3).saturating_add(1);
        let needed = quorum.saturating_sub(1);
        if needed == 0 || self.set.power_of(&self.settings.address) == 0 {
            return;
        }
        let connected = async {
            loop {
                match connected_peers(&self.ends.requests).await {
                    Ok(Some(peers)) if peers >= needed => break,
                    Ok(_) => tokio::time::sleep(GATHER_POLL).await,
                    Err(ConsensusUnavailable) => return,
                }
            }
            tokio::time::sleep(SUBSCRIBE).await;
        };
        if tokio::time::timeout(self.settings.gather, connected).await.is_err() {
            info!(needed, "starting without a quorum of peers");
        }
    }

    fn observe(&mut self, event: Result<Event<Heatmark>, RecvError>) -> Result<(), Failure> {
        match event {
            Ok(Event::Received(SignedConsensusMsg::Vote(vote))) => {
                self.observe_vote(&vote);
                self.turns.heard(vote.message.address);
                let Vote { kind, height, round, value, address } = &vote.message;
                trace_signed(address, (height.0, *round), kind, value);
            }
            Ok(Event::Received(SignedConsensusMsg::Proposal(proposal))) => {
                let Proposal { height, round, value, address, .. } = &proposal.message;
                trace_signed(address, (height.0, *round), &"Proposal", value);
            }
            Ok(Event::WalCorrupted(error)) => return Err(Failure::Log(error.to_string())),
            Ok(Event::WalReplayError(error)) => return Err(Failure::Log(error.to_string())),
            Ok(Event::WalResetError(error)) => return Err(Failure::Log(error.to_string())),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => self.turns.missed_some(),
            Err(RecvError::Closed) => return Err(Failure::EngineStopped),
        }
        Ok(())
    }

    /// Counts who has gone on, for while this node waits. The engine tells of votes
    /// before it looks at their signatures.
    fn observe_vote(&mut self, vote: &SignedMessage<Heatmark, Vote>) {
        let (height, voter) = (vote.message.height, vote.message.address);
        let newest = self.newest.height.into();
        // Whoever votes in the height under way tells nothing new; under load that is everybody.
        if height > self.started
            && self.pace.counts(newest, height, &voter)
            && self.set.power_of(&voter) > 0
            && verifies_vote(&self.settings.eras, vote)
        {
            self.pace.voted(newest, height, voter);
        }
    }

    /// Looks for the reason among the engine's last events.
    fn engine_stopped(&mut self) -> Failure {
        while let Ok(event) = self.ends.events.try_recv() {
            if let Err(failure) = self.observe(Ok(event)) {
                return failure;
            }
        }
        warn!("the consensus engine stopped by itself");
        Failure::EngineStopped
    }
}

/// For whoever looks for two votes or proposals of one validator in one round: also those that come
/// too late to matter are seen here.
fn trace_signed(
    validator: &Address,
    (height, round): (u64, Round),
    kind: &impl Debug,
    value: &impl Debug,
) {
    let round = round.as_i64();
    trace!(target: "heatmark_consensus::votes", %validator, height, round, ?kind, ?value, "vote");
}
