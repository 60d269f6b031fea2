//! The codec on the network's side: as [`LedgerCodec`], and it notes how far peers say that they
//! are, which the engine tells nobody. What a peer says of itself is a claim and no proof.

use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::sync::Status;
use bytes::Bytes;
use heatmark_ledger::ids::Height;
use std::any::Any;
use std::sync::Arc;
use tokio::sync::watch;

use super::LedgerCodec;
use crate::context::Heatmark;

/// The codec with its ear.
#[derive(Clone, Debug)]
pub(crate) struct AttentiveCodec {
    highest: Arc<watch::Sender<Height>>,
}

impl AttentiveCodec {
    /// With the highest height that any peer has claimed, from `from` on.
    pub(crate) fn new(from: Height) -> (Self, watch::Receiver<Height>) {
        let (highest, heard) = watch::channel(from);
        (Self { highest: Arc::new(highest) }, heard)
    }

    fn hear(&self, claimed: Height) {
        self.highest.send_if_modified(|highest| {
            let higher = claimed > *highest;
            if higher {
                *highest = claimed;
            }
            higher
        });
    }
}

impl<T: 'static> Codec<T> for AttentiveCodec
where
    LedgerCodec: Codec<T>,
{
    type Error = <LedgerCodec as Codec<T>>::Error;

    fn decode(&self, bytes: Bytes) -> Result<T, Self::Error> {
        let message = LedgerCodec.decode(bytes)?;
        if let Some(status) = (&message as &dyn Any).downcast_ref::<Status<Heatmark>>() {
            self.hear(status.tip_height.ledger());
        }
        Ok(message)
    }

    fn encode(&self, message: &T) -> Result<Bytes, Self::Error> {
        LedgerCodec.encode(message)
    }
}

impl<T: 'static> HasEncodedLen<T> for AttentiveCodec
where
    LedgerCodec: HasEncodedLen<T>,
{
    fn encoded_len(&self, message: &T) -> Result<usize, Self::Error> {
        LedgerCodec.encoded_len(message)
    }
}

#[cfg(test)]
mod tests;
