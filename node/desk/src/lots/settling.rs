//! What becomes of parcels, by this member's own copy of the log: posted, taken back, or over. What waits for seals goes on
//! once they are here, and letters that a crash left unwritten are written.

use super::offers::{ANSWER_NAME, OFFER_NAME, REQUEST_NAME};
use crate::keys::LOT_SEALS;
use crate::recall::TOTALS_NAME;
use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::{LeafIndex, messages as pb, state, wire};
use heatmark_vault::{ParcelRow, ParcelState, VaultError};
use std::time::Duration;

/// How often parcels are looked at, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Least time between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// What the log says of a parcel's lots.
enum Fate {
    Open,
    /// The receiver has posted it, at this leaf.
    Posted(u64),
    Over,
    /// Another event has broken their seals.
    Elsewhere,
}

impl Desk {
    /// Settles parcels for as long as the desk runs.
    pub(crate) async fn settle_parcels(&self) {
        let mut tip = self.parts.store.subscribe();
        loop {
            if let Err(error) = self.settle_parcels_once().await {
                tracing::warn!(code = error.code(), "lots on their way cannot be looked after");
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = self.shared.parcels.notified() => {}
                changed = tip.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// One that cannot be settled keeps no other from it; the last error is told.
    pub(crate) async fn settle_parcels_once(&self) -> Result<(), DeskError> {
        let desk = self.clone();
        let mut outcome = blocking(move || desk.resume_shipments()).await;
        let vault = self.parts.vault.clone();
        for parcel in blocking(move || Ok(vault.open_parcels()?)).await? {
            if let Err(error) = self.settle_parcel(parcel).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn settle_parcel(&self, parcel: ParcelRow) -> Result<(), DeskError> {
        if !parcel.sent {
            // What is said of lots goes once they stand, or are refused.
            let due = matches!(parcel.state, ParcelState::Accepted | ParcelState::Refused);
            return if due { self.post_answer(&parcel).await } else { Ok(()) };
        }
        let desk = self.clone();
        let asked = parcel.clone();
        match blocking(move || desk.fate(&asked)).await? {
            Fate::Open if parcel.letter_waits => self.post_parcel(&parcel).await,
            Fate::Open => Ok(()),
            Fate::Posted(leaf) => {
                let vault = self.parts.vault.clone();
                blocking(move || Ok(vault.parcel_accepted(&parcel.transfer, leaf)?)).await
            }
            Fate::Over => {
                let vault = self.parts.vault.clone();
                blocking(move || Ok(vault.parcel_lapsed(&parcel.transfer)?)).await
            }
            Fate::Elsewhere => {
                tracing::warn!(
                    "lots that are on their way were used by an event that this node did not make"
                );
                Ok(())
            }
        }
    }

    fn fate(&self, parcel: &ParcelRow) -> Result<Fate, DeskError> {
        let store = &self.parts.store;
        // Read before the seals, so that a block between the two is not taken for the end of the window.
        let time = store.tip().time.0;
        let lot = parcel.lots.first().ok_or(VaultError::Damaged)?;
        let lot = self.parts.vault.lot(lot)?.ok_or(VaultError::Damaged)?;
        let key = self.parts.seed.seals(LOT_SEALS).key(lot.seal_index);
        let place = state::seal_key(&PublicKey::of(&key).seal_id());
        let broken: Option<pb::SealState> = state::read(store, &place, "seal")?;
        let Some(broken) = broken else {
            return Ok(if time >= parcel.not_after_ms { Fate::Over } else { Fate::Open });
        };
        let entry = store.entry(LeafIndex(broken.leaf_index))?;
        let damaged = heatmark_store::StoreError::Damaged("log entries");
        let envelope = entry.and_then(|entry| wire::decode_envelope(&entry).ok());
        let body = envelope.and_then(|envelope| wire::decode_body(&envelope.body).ok());
        let Some(Payload::LotEvent(event)) = body.and_then(|body| body.payload) else {
            return Err(damaged.into());
        };
        Ok(if event.digest == parcel.transfer {
            Fate::Posted(broken.leaf_index)
        } else if parcel.cancelled_by.is_some_and(|cancel| event.digest == cancel) {
            // Whoever posts that event notes it.
            Fate::Open
        } else {
            Fate::Elsewhere
        })
    }

    /// Sees to a letter that is for the desk itself; none for one that is for people.
    pub(crate) async fn consider(
        &self,
        from: MemberId,
        name: &str,
        content: &[u8],
    ) -> Option<Result<(), DeskError>> {
        let (desk, content) = (self.clone(), content.to_vec());
        let seen = match name {
            REQUEST_NAME => match blocking(move || desk.answer_request(&content, from)).await {
                Ok(Some(offer)) => {
                    let sent = self.send_letter(from, OFFER_NAME.to_owned(), offer).await;
                    sent.map(drop)
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            OFFER_NAME => blocking(move || desk.keep_offer(&content, Some(from))).await.map(drop),
            TOTALS_NAME => self.keep_totals(content, from).await,
            ANSWER_NAME => blocking(move || desk.keep_answer(&content, from)).await,
            _ => return None,
        };
        self.shared.parcels.notify_one();
        Some(seen)
    }
}
