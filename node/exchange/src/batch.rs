//! A batch of transactions as one gossip message. Refuses what is empty, too long, holds too many
//! transactions or anything else. Written as `heatmark.exchange.v1.TransactionBatch`; read by
//! hand, so that nothing is allocated before it is counted.

use bytes::{Buf, Bytes};
use heatmark_ledger::wire::MAX_TRANSACTION_BYTES;
use heatmark_proto::exchange::v1::TransactionBatch;
use prost::Message;
use prost::encoding::decode_varint;
use thiserror::Error;

/// Most transactions in a batch.
pub const MAX_BATCH_TRANSACTIONS: usize = 64;

/// Most bytes of an encoded batch.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// Bytes that a transaction takes in a batch beyond its own: a tag and a length of at most three.
pub(crate) const FRAMING_BYTES: usize = 4;

/// Field 1, length-delimited.
const TAG: u64 = (1 << 3) | 2;

/// Why bytes are no batch. The peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BatchError {
    #[error("a batch has at most {MAX_BATCH_BYTES} bytes")]
    TooLong,
    #[error("a batch has 1 to {MAX_BATCH_TRANSACTIONS} transactions")]
    Count,
    #[error("a transaction has at most {MAX_TRANSACTION_BYTES} bytes")]
    TransactionTooLong,
    #[error("not a batch")]
    Malformed,
}

pub(crate) fn encode(transactions: Vec<Bytes>) -> Vec<u8> {
    let transactions = transactions.into_iter().map(Into::into).collect();
    TransactionBatch { transactions }.encode_to_vec()
}

/// The transactions of a batch, as slices of it.
pub(crate) fn decode(mut bytes: Bytes) -> Result<Vec<Bytes>, BatchError> {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(BatchError::TooLong);
    }
    let mut transactions = Vec::new();
    while bytes.has_remaining() {
        if decode_varint(&mut bytes).map_err(|_| BatchError::Malformed)? != TAG {
            return Err(BatchError::Malformed);
        }
        let length = decode_varint(&mut bytes).map_err(|_| BatchError::Malformed)?;
        let length = usize::try_from(length).map_err(|_| BatchError::Malformed)?;
        if length > bytes.remaining() {
            return Err(BatchError::Malformed);
        }
        if length > MAX_TRANSACTION_BYTES {
            return Err(BatchError::TransactionTooLong);
        }
        if transactions.len() >= MAX_BATCH_TRANSACTIONS {
            return Err(BatchError::Count);
        }
        transactions.push(bytes.split_to(length));
    }
    if transactions.is_empty() { Err(BatchError::Count) } else { Ok(transactions) }
}
