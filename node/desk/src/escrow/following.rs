//! The task that keeps deals and deposits going: it wakes for each block that says something of a deal known here, for each
//! file that arrives, and when something is due, and looks at those deals alone.

use super::DealError;
use super::parties::role_of;
use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_vault::DealRole;
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Blocks read at once.
const BLOCKS_AT_ONCE: u64 = 256;
/// How long what failed is left alone.
const RETRY: Duration = Duration::from_secs(5);
/// How often deposits are looked at, whatever happens.
const DEPOSITS_EVERY: Duration = Duration::from_secs(2);
/// How often an agent that says nothing is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// How long an agent has to send pieces before the next one is asked.
const PIECES_WITHIN: Duration = Duration::from_secs(5);

type Key = ([u8; 32], i32);
/// What was asked of whom, or a deal and one of its sections.
type Of = (Vec<u8>, Vec<u8>);

/// What runs only once and is forgotten at a restart.
#[derive(Default)]
pub(crate) struct Running {
    /// Deals that are to be looked at now.
    due: BTreeSet<Key>,
    /// Whom was asked for what, and when.
    asked: BTreeMap<Of, Instant>,
    /// For which piece of a deal's section was asked last, when, and whose turn it is.
    turns: BTreeMap<Of, (u32, Instant, usize)>,
}

impl Running {
    fn may_ask(&mut self, key: Of) -> bool {
        let now = Instant::now();
        let waiting = self.asked.get(&key).is_some_and(|at| now.duration_since(*at) < ASK_AGAIN);
        if !waiting {
            self.asked.insert(key, now);
        }
        !waiting
    }

    fn turn(&mut self, of: Of, first: u32) -> Option<usize> {
        let now = Instant::now();
        let known = self.turns.get(&of).copied();
        let turn = match known {
            Some((same, at, _)) if same == first && now.duration_since(at) < PIECES_WITHIN => {
                return None;
            }
            Some((same, _, turn)) if same == first => turn.saturating_add(1),
            Some((.., turn)) => turn,
            None => 0,
        };
        self.turns.insert(of, (first, now, turn));
        Some(turn)
    }
}

impl Desk {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.shared.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn deals_due(&self) -> impl std::ops::DerefMut<Target = BTreeSet<Key>> + '_ {
        Due(self.running())
    }

    /// Whether to ask somebody for something, having asked long ago or never since the start.
    pub(super) fn may_ask(&self, (what, whom): (&[u8], &[u8])) -> bool {
        self.running().may_ask((what.to_vec(), whom.to_vec()))
    }

    /// Whose turn it is to be asked for a piece; none while somebody has been asked a moment ago.
    pub(super) fn turn(&self, of: Of, first: u32) -> Option<usize> {
        self.running().turn(of, first)
    }

    /// Follows the log and what arrives for ever.
    pub(crate) async fn follow_deals(&self) {
        let mut tip = self.parts.store.subscribe();
        let mut due: BTreeMap<Key, Instant> = BTreeMap::new();
        self.wake_all().await;
        let mut deposits = Instant::now();
        loop {
            tip.borrow_and_update();
            if let Err(error) = self.read_deals().await {
                tracing::warn!(code = error.code(), "deals on the log are not read yet");
            }
            let now = Instant::now();
            for key in std::mem::take(&mut *self.deals_due()) {
                due.insert(key, now);
            }
            let ready: Vec<Key> =
                due.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
            for key in ready {
                match self.look_once(key).await {
                    Ok(Some(again)) => due.insert(key, after(again)),
                    Ok(None) => due.remove(&key),
                    Err(error) => {
                        tracing::warn!(code = error.code(), "a deal cannot be seen to yet");
                        due.insert(key, after(RETRY))
                    }
                };
            }
            if deposits <= Instant::now() {
                if let Err(error) = self.advance_deposits().await {
                    tracing::warn!(code = error.code(), "a deposit cannot be seen to yet");
                }
                deposits = after(DEPOSITS_EVERY);
            }
            let next = due.values().min().copied().unwrap_or(deposits).min(deposits);
            tokio::select! {
                changed = tip.changed() => if changed.is_err() { return },
                () = self.shared.deals.notified() => deposits = Instant::now(),
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Has all deals looked at in which something is left to do, as after a start.
    async fn wake_all(&self) {
        let desk = self.clone();
        let rows = blocking(move || Ok(desk.parts.vault.deals_left()?)).await;
        match rows {
            Ok(rows) => rows.iter().for_each(|row| self.look_at(row)),
            Err(error) => tracing::warn!(code = error.code(), "deals cannot be read"),
        }
    }

    async fn look_once(&self, (deal, role): Key) -> Result<Option<Duration>, DeskError> {
        let desk = self.clone();
        let looked = blocking(move || {
            let role = DealRole::try_from(role).map_err(|_| DealError::UnknownDeal)?;
            desk.look(&deal, role)
        });
        let looked = looked.await?;
        self.send_out(looked.letters).await?;
        Ok(looked.again_ms.map(Duration::from_millis))
    }

    /// Finds what new blocks say of deals known here.
    async fn read_deals(&self) -> Result<(), DeskError> {
        let desk = self.clone();
        blocking(move || {
            let newest = desk.parts.store.tip().height;
            let mut read = Height(desk.parts.vault.deals_read_through()?).max(desk.read_deals_to());
            while read < newest {
                let last = Height(read.0.saturating_add(BLOCKS_AT_ONCE)).min(newest);
                let mut found = false;
                for height in read.0.saturating_add(1)..=last.0 {
                    for deal in desk.deals_in(Height(height))? {
                        for row in desk.parts.vault.deal_roles(&deal)? {
                            role_of(&row)?;
                            desk.look_at(&row);
                            found = true;
                        }
                    }
                }
                // A height that is not noted costs reading blocks again; a write costs more.
                if found || last.0.saturating_sub(read.0) >= BLOCKS_AT_ONCE {
                    desk.parts.vault.note_deals_read(last.0)?;
                }
                desk.set_read_deals_to(last);
                read = last;
            }
            Ok(())
        })
        .await
    }

    fn read_deals_to(&self) -> Height {
        Height(self.shared.deals_read.load(std::sync::atomic::Ordering::Acquire))
    }

    fn set_read_deals_to(&self, height: Height) {
        self.shared.deals_read.store(height.0, std::sync::atomic::Ordering::Release);
    }

    fn deals_in(&self, height: Height) -> Result<BTreeSet<[u8; 32]>, DeskError> {
        let block = self.parts.store.certified_block(height)?;
        let transactions = block.and_then(|block| block.block).map(|block| block.transactions);
        let deal_in = |envelope: &Bytes| -> Option<[u8; 32]> {
            // On the log it decodes: it was executed.
            let envelope = pb::Envelope::decode(envelope.clone()).ok()?;
            let body = pb::Body::decode(envelope.body.as_slice()).ok()?;
            let Some(Payload::Deal(deal)) = body.payload else { return None };
            deal.deal.as_slice().try_into().ok()
        };
        Ok(transactions.unwrap_or_default().iter().filter_map(deal_in).collect())
    }
}

fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}

/// The set inside the lock.
struct Due<'d>(MutexGuard<'d, Running>);

impl std::ops::Deref for Due<'_> {
    type Target = BTreeSet<Key>;

    fn deref(&self) -> &Self::Target {
        &self.0.due
    }
}

impl std::ops::DerefMut for Due<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.due
    }
}
