//! What a holder tells its supplier of material under an alert: what it has left of it, together with what its customers said.
//! One sum goes up the chain, so that the issuer learns how much is where in all and nobody learns another's customers.

use heatmark_ledger::wire::shape::Shape;
use prost::Message;

use super::SignedFile;

/// Longest encoding in bytes: it has fixed parts only.
const MAX_TOTALS_BYTES: usize = 512;

/// What one holder and its customers have of what an alert is on, as far as they got it from one supplier.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HolderTotals {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that tells.
    #[prost(bytes = "vec", tag = "3")]
    pub holder: Vec<u8>,
    /// The member that is told.
    #[prost(bytes = "vec", tag = "4")]
    pub supplier: Vec<u8>,
    /// The alert's subject.
    #[prost(bytes = "vec", tag = "5")]
    pub subject: Vec<u8>,
    /// The alert's number on that subject.
    #[prost(uint64, tag = "6")]
    pub sequence: u64,
    /// Milligrams found, of the holder and of all whose answers are in this one.
    #[prost(uint64, tag = "7")]
    pub mass_mg: u64,
    /// Pieces found.
    #[prost(uint64, tag = "8")]
    pub pieces: u64,
    /// How many members' answers are in it, the holder's own included.
    #[prost(uint32, tag = "9")]
    pub holders: u32,
    /// How many customers, at whatever distance, have yet to answer.
    #[prost(uint32, tag = "10")]
    pub awaited: u32,
    /// When, by the holder's clock, in Unix milliseconds.
    #[prost(uint64, tag = "11")]
    pub at_ms: u64,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "12")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "13")]
    pub signature: Vec<u8>,
}

impl SignedFile for HolderTotals {
    const SIGNED_AS: &'static str = "sign/holder-totals";
    const LONGEST: usize = MAX_TOTALS_BYTES;

    fn shape() -> Shape {
        &[]
    }

    fn frame(&mut self) -> (&mut u32, &mut Vec<u8>, &mut Vec<u8>, &mut Vec<u8>) {
        (&mut self.version, &mut self.network, &mut self.signer, &mut self.signature)
    }

    fn is_well_formed(&self) -> bool {
        let hashes = [&self.supplier, &self.subject];
        hashes.iter().all(|hash| hash.len() == 32) && self.holders > 0 && self.sequence > 0
    }

    fn maker(&self) -> &[u8] {
        &self.holder
    }
}
