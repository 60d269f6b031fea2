//! The language of a Heatmark network: messages generated from the `.proto` files beside this
//! crate, and the bounds within which they are decoded. No other logic lives here; `proto/README.md`
//! is the specification of what they mean.

#![allow(missing_docs, reason = "generated code carries the comments of the .proto files")]
#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::too_many_lines,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

#[cfg(feature = "rpc")]
pub mod codec;
pub mod shape;

/// The shared log: transactions, blocks, receipts, state and the node's service.
pub mod ledger {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/heatmark.ledger.v1.rs"));
    }
}

/// What an organisation's own people ask of their node.
pub mod desk {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/heatmark.desk.v1.rs"));
    }
}

/// What nodes say to each other on the exchange network.
pub mod exchange {
    /// Version 1.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/heatmark.exchange.v1.rs"));
    }
}

/// Encoded `FileDescriptorSet` of all files, for gRPC reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
