//! One transaction from body to receipt: signed, submitted through the one door, submitted again
//! where the pool was full or lost it, and awaited until it stands or never can.

use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::{Height, TransactionId, UnixMillis};
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::transaction::{self, NONCE_BYTES};
use heatmark_ledger::{LeafIndex, keys::PublicKey, messages as pb, state};
use heatmark_mempool::{IntakeError, Tip};
use prost::Message as _;
use prost::bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// How long a stalled chain is waited for beyond a transaction's window.
const GRACE: Duration = Duration::from_secs(30);
/// How often a transaction that waits is looked for in the pool.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How long to leave a full pool alone.
const FULL_POOL_PAUSE: Duration = Duration::from_millis(500);

/// A transaction that stands on the log.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its id.
    pub id: TransactionId,
    /// Where it stands.
    pub leaf_index: LeafIndex,
    /// Its receipt, from genesis on.
    pub receipt: pb::Receipt,
}

/// A signed transaction.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) id: TransactionId,
    pub(crate) envelope: Bytes,
    pub(crate) not_after: UnixMillis,
}

impl Desk {
    /// Signs a payload with the node's signing key, submits it and waits for its receipt. A body
    /// without window and nonce gets both; a co-signed one must come with them.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn sign_and_submit(
        &self,
        body: pb::Body,
        cosignatures: Vec<pb::CoSignature>,
    ) -> Result<Committed, DeskError> {
        let payload = body.payload.clone().ok_or(DeskError::NoPayload)?;
        let complete = !body.nonce.is_empty() && body.not_after_ms != 0;
        let body = match (complete, cosignatures.is_empty()) {
            (true, _) => body,
            (false, false) => return Err(DeskError::IncompleteBody),
            (false, true) => self.body(payload)?,
        };
        if let Some(pb::body::Payload::Alert(alert)) = &body.payload {
            self.note_alert(alert).await?;
        }
        let signed = self.sign(&body, cosignatures);
        self.commit(&signed).await
    }

    /// A body around a payload, open from a little before now, since block time may lag behind
    /// this clock, for half of the longest window.
    pub(crate) fn body(&self, payload: pb::body::Payload) -> Result<pb::Body, DeskError> {
        let parameters = state::parameters(&self.parts.store)?;
        let now = self.now();
        let longest = parameters.max_window_ms;
        let early = parameters.max_clock_skew_ms.min(longest / 4);
        Ok(pb::Body {
            not_before_ms: now.0.saturating_sub(early),
            not_after_ms: now.0.saturating_add(longest / 2),
            nonce: rand::random::<[u8; NONCE_BYTES]>().to_vec(),
            payload: Some(payload),
        })
    }

    pub(crate) fn sign(&self, body: &pb::Body, cosignatures: Vec<pb::CoSignature>) -> Signed {
        let network = self.parts.intake.network();
        let signer = PublicKey::of(&self.parts.signing).id();
        let id = transaction::transaction_id(&network, &signer, &body.encode_to_vec());
        let envelope = transaction::sign(&network, &self.parts.signing, body, cosignatures);
        Signed { id, envelope, not_after: UnixMillis(body.not_after_ms) }
    }

    /// Submits a signed transaction and waits until it stands.
    pub(crate) async fn commit(&self, signed: &Signed) -> Result<Committed, DeskError> {
        let window = Duration::from_millis(signed.not_after.0.saturating_sub(self.now().0));
        let patience = window.saturating_add(GRACE);
        let begun = Instant::now();
        let mut tip = self.parts.store.subscribe();
        loop {
            let reached = tip.borrow_and_update().time;
            if let Some(committed) = self.committed(signed.id).await? {
                return Ok(committed);
            }
            // No block from here on can take it. Looked for after the time was read, so that a
            // block between the two is not missed.
            if reached >= signed.not_after {
                return Err(DeskError::Expired);
            }
            if begun.elapsed() >= patience {
                return Err(DeskError::NotCommitted);
            }
            let pause = self.submit_again(signed).await?;
            tokio::select! {
                changed = tip.changed() => changed.map_err(|_| DeskError::Stopped)?,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Puts it into the pool unless it waits there, and says when to look again.
    pub(crate) async fn submit_again(&self, signed: &Signed) -> Result<Duration, DeskError> {
        if self.parts.intake.mempool().contains(&signed.id) {
            return Ok(LOOK_INTERVAL);
        }
        let (desk, envelope) = (self.clone(), signed.envelope.clone());
        let submitted =
            blocking(move || Ok(desk.parts.intake.submit(envelope, desk.tip()))).await?;
        match submitted {
            Ok(_) | Err(IntakeError::Refused(Refusal::TooEarly)) => Ok(LOOK_INTERVAL),
            // It stands since we looked: the next round finds it.
            Err(IntakeError::Refused(Refusal::Replayed)) => Ok(Duration::ZERO),
            // Block time decides, which the caller reads.
            Err(IntakeError::Refused(Refusal::Expired)) => Ok(FULL_POOL_PAUSE),
            Err(IntakeError::Pool(_)) => Ok(FULL_POOL_PAUSE),
            Err(other) => Err(other.into()),
        }
    }

    /// The receipt of a transaction that stands.
    pub(crate) async fn committed(
        &self,
        id: TransactionId,
    ) -> Result<Option<Committed>, DeskError> {
        let store = self.parts.store.clone();
        blocking(move || {
            let Some(leaf_index) = store.find(&id)? else { return Ok(None) };
            let receipt = store.receipt(leaf_index, Height(0), None)?;
            Ok(Some(Committed { id, leaf_index, receipt }))
        })
        .await
    }

    /// Where the chain stands, as the door wants to know it.
    pub(crate) fn tip(&self) -> Tip {
        let tip = self.parts.store.tip();
        let time = UnixMillis(tip.time.0.max(clock().0));
        Tip { next: tip.height.next(), time, parent_time: tip.time }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.tip().time
    }
}

fn clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
