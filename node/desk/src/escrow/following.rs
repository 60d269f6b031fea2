//! The task that keeps deals and deposits going: it wakes for each block that says something of a deal known here, for each
//! file that arrives, and when something is due, and looks at those deals alone.

use super::DealError;
use super::parties::role_of;
use super::running::Key;
use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_vault::DealRole;
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Blocks read at once.
const BLOCKS_AT_ONCE: u64 = 256;
/// How long what failed is left alone.
const RETRY: Duration = Duration::from_secs(5);
/// How often deposits are looked at, whatever happens.
const DEPOSITS_EVERY: Duration = Duration::from_secs(2);
/// How often the ciphertext of a holding is looked through.
const LOOKED_THROUGH_EVERY: Duration = Duration::from_secs(60);

impl Desk {
    /// Follows the log and what arrives for ever.
    pub(crate) async fn follow_deals(&self) {
        let mut tip = self.parts.store.subscribe();
        let mut due: BTreeMap<Key, Instant> = BTreeMap::new();
        self.wake_all().await;
        let mut deposits = Instant::now();
        let mut look_through = after(LOOKED_THROUGH_EVERY);
        loop {
            tip.borrow_and_update();
            if let Err(error) = self.read_deals().await {
                tracing::warn!(code = error.code(), "deals on the log are not read yet");
            }
            let now = Instant::now();
            due.extend(self.deals_due().into_iter().map(|key| (key, now)));
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
            if look_through <= Instant::now() {
                let desk = self.clone();
                if let Err(error) = blocking(move || desk.look_through_next()).await {
                    tracing::warn!(code = error.code(), "ciphertext cannot be looked through yet");
                }
                look_through = after(LOOKED_THROUGH_EVERY);
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
        let desk = self.clone();
        let found = blocking(move || desk.forget_begun().and_then(|()| desk.find_unfinished()));
        if let Err(error) = found.await {
            tracing::warn!(code = error.code(), "deposits cannot be read");
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
        if let Some(told) = looked.told {
            let desk = self.clone();
            blocking(move || desk.has_told(&told)).await?;
        }
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
