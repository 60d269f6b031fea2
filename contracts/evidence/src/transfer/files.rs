//! The files of a transfer and their signatures. Bounded first, then decoded, then encoded again and compared; whose key has
//! signed, the registry says, which is not here.

use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::{KeyId, MemberId, NetworkId};
use heatmark_ledger::keys::{PublicKey, RegisteredKey, sign};
use heatmark_ledger::messages as pb;
use heatmark_ledger::wire::shape::{self, Shape, part};
use prost::Message;

use super::TransferError;
use crate::grounds::preimage;

/// Version of all these files.
pub(super) const VERSION: u32 = 1;
/// Longest parcel in bytes: two of the longest capsules.
pub const MAX_PARCEL_BYTES: usize = 64 << 20;
/// Longest text of any of these files, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Longest file that holds no capsule: 64 seals, or 255 counts.
const MAX_SHORT_BYTES: usize = 32 << 10;
/// Shorter than any seal, signature or lot.
const SHORT: usize = 24;
const PATHS: Shape = &[part(2, 1, &[])];
const COMPONENTS: Shape = &[part(4, SHORT, &[])];

/// A file that its maker's node signs.
pub trait SignedFile: Message + Default + Clone {
    /// What its signature's preimage is tagged with.
    const SIGNED_AS: &'static str;
    /// Longest encoding.
    const LONGEST: usize;

    /// What of it repeats.
    fn shape() -> Shape;
    /// Version, network, signer and signature.
    fn frame(&mut self) -> (&mut u32, &mut Vec<u8>, &mut Vec<u8>, &mut Vec<u8>);
    /// Whether its parts have their lengths and its texts print.
    fn is_well_formed(&self) -> bool;
    /// The member that makes it.
    fn maker(&self) -> &[u8];

    /// Signs the file and gives its bytes.
    #[must_use]
    fn signed(mut self, network: &NetworkId, key: &SigningKey) -> Vec<u8> {
        let signer = PublicKey::of(key).id();
        let (version, net, by, signature) = self.frame();
        *version = VERSION;
        (*net, *by, *signature) = (network.as_bytes().to_vec(), signer.to_vec(), Vec::new());
        let covered = preimage(Self::SIGNED_AS, network.as_bytes(), &signer, &self.encode_to_vec());
        *self.frame().3 = sign(key, &covered);
        self.encode_to_vec()
    }

    /// Reads a file of a network.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical` or `WrongNetwork`.
    fn read(bytes: &[u8], network: &NetworkId) -> Result<Unproved<Self>, TransferError> {
        if bytes.len() > Self::LONGEST {
            return Err(TransferError::TooLong);
        }
        if !shape::fits(bytes, Self::shape()) {
            return Err(TransferError::NotCanonical);
        }
        let mut file = Self::decode(bytes).map_err(|_| TransferError::NotCanonical)?;
        if file.encode_to_vec() != bytes || !file.is_well_formed() || !is_hash(file.maker()) {
            return Err(TransferError::NotCanonical);
        }
        let (version, net, signer, signature) = file.frame();
        if *version != VERSION {
            return Err(TransferError::NotCanonical);
        }
        if net.as_slice() != network.as_bytes() {
            return Err(TransferError::WrongNetwork);
        }
        let signer = KeyId::try_from(signer.as_slice()).map_err(|_| TransferError::NotCanonical)?;
        let signature = std::mem::take(signature);
        let covered = preimage(Self::SIGNED_AS, network.as_bytes(), &signer, &file.encode_to_vec());
        file.frame().3.clone_from(&signature);
        Ok(Unproved { file, signer, covered, signature })
    }
}

/// A file whose signature has yet to be compared with the registry.
#[derive(Debug, Clone)]
pub struct Unproved<F> {
    file: F,
    signer: KeyId,
    covered: Vec<u8>,
    signature: Vec<u8>,
}

impl<F: SignedFile> Unproved<F> {
    /// The key that is to have signed it.
    #[must_use]
    pub const fn signer(&self) -> &KeyId {
        &self.signer
    }

    /// The member that it says has made it.
    #[must_use]
    pub fn maker(&self) -> Option<MemberId> {
        MemberId::try_from(self.file.maker()).ok()
    }

    /// The file, once its signer's key and that key's member are known.
    ///
    /// # Errors
    /// `Signature`.
    pub fn prove(self, key: &RegisteredKey, member: &MemberId) -> Result<F, TransferError> {
        let named = self.file.maker() == member.as_bytes() && key.id() == self.signer;
        if named && key.verify(&self.covered, &self.signature).is_ok() {
            Ok(self.file)
        } else {
            Err(TransferError::Signature)
        }
    }
}

/// A sender asks a receiver for seals.
#[derive(Clone, PartialEq, Message)]
pub struct SealRequest {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that asks.
    #[prost(bytes = "vec", tag = "3")]
    pub sender: Vec<u8>,
    /// The member that is asked.
    #[prost(bytes = "vec", tag = "4")]
    pub receiver: Vec<u8>,
    /// How many seals, 1 to 64.
    #[prost(uint32, tag = "5")]
    pub seals: u32,
    /// 16 random bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub nonce: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "7")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "8")]
    pub signature: Vec<u8>,
}

/// Fresh seals of a receiver, for one sender.
#[derive(Clone, PartialEq, Message)]
pub struct SealOffer {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that offers.
    #[prost(bytes = "vec", tag = "3")]
    pub receiver: Vec<u8>,
    /// The member that may use them.
    #[prost(bytes = "vec", tag = "4")]
    pub sender: Vec<u8>,
    /// Hashes of seals, 1 to 64, one for each lot.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub seals: Vec<Vec<u8>>,
    /// An order's number or the like; may be empty.
    #[prost(string, tag = "6")]
    pub reference: String,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "7")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "8")]
    pub signature: Vec<u8>,
}

/// Lots on their way: the transfer that the receiver may post, what opens the lots, their capsules and the despatch advice.
#[derive(Clone, PartialEq, Message)]
pub struct Parcel {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that sends.
    #[prost(bytes = "vec", tag = "3")]
    pub sender: Vec<u8>,
    /// The member that receives.
    #[prost(bytes = "vec", tag = "4")]
    pub receiver: Vec<u8>,
    /// The body of the transaction, without its carrier's signature.
    #[prost(bytes = "vec", tag = "5")]
    pub body: Vec<u8>,
    /// The signatures of the sender's seals over it.
    #[prost(message, repeated, tag = "6")]
    pub cosignatures: Vec<pb::CoSignature>,
    /// The event's body.
    #[prost(bytes = "vec", tag = "7")]
    pub event: Vec<u8>,
    /// The lots, in the order of the event's outputs.
    #[prost(message, repeated, tag = "8")]
    pub lots: Vec<ParcelLot>,
    /// What comes, and how.
    #[prost(message, optional, tag = "9")]
    pub advice: Option<DespatchAdvice>,
    /// What of the records may go on to the receiver's customers; of others, commitments and proofs only.
    #[prost(message, repeated, tag = "10")]
    pub onward: Vec<Onward>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "11")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "12")]
    pub signature: Vec<u8>,
    /// What containers and products among the lots consist of, the outer ones before those inside.
    #[prost(message, repeated, tag = "13")]
    pub assemblies: Vec<ParcelAssembly>,
}

/// What a container or product in a parcel consists of, so that its receiver can take it apart.
#[derive(Clone, PartialEq, Message)]
pub struct ParcelAssembly {
    /// Its class.
    #[prost(bytes = "vec", tag = "1")]
    pub class: Vec<u8>,
    /// Whether it is a product, whose host is the first component.
    #[prost(bool, tag = "2")]
    pub product: bool,
    /// Salt of the event that put it together.
    #[prost(bytes = "vec", tag = "3")]
    pub salt: Vec<u8>,
    /// Its components, in their order.
    #[prost(message, repeated, tag = "4")]
    pub components: Vec<ParcelComponent>,
}

/// A component as it went in.
#[derive(Clone, PartialEq, Message)]
pub struct ParcelComponent {
    /// What the sender called it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The lot with its quantities.
    #[prost(bytes = "vec", tag = "2")]
    pub open: Vec<u8>,
    /// The opening of its description.
    #[prost(bytes = "vec", tag = "3")]
    pub description: Vec<u8>,
}

/// A lot of a parcel.
#[derive(Clone, PartialEq, Message)]
pub struct ParcelLot {
    /// What the sender calls it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The lot as it will be the receiver's, with its quantities.
    #[prost(bytes = "vec", tag = "2")]
    pub open: Vec<u8>,
    /// The opening of its description.
    #[prost(bytes = "vec", tag = "3")]
    pub description: Vec<u8>,
    /// What opens the seal that the sender breaks.
    #[prost(bytes = "vec", tag = "4")]
    pub blind: Vec<u8>,
    /// The capsule of the lot as it is the sender's.
    #[prost(bytes = "vec", tag = "5")]
    pub capsule: Vec<u8>,
}

/// What comes, and how.
#[derive(Clone, PartialEq, Message)]
pub struct DespatchAdvice {
    /// Its number.
    #[prost(string, tag = "1")]
    pub number: String,
    /// The order that it answers.
    #[prost(string, tag = "2")]
    pub order: String,
    /// Who carries the goods.
    #[prost(string, tag = "3")]
    pub carrier: String,
    /// Anything else.
    #[prost(string, tag = "4")]
    pub note: String,
    /// When they left, in Unix milliseconds.
    #[prost(uint64, tag = "5")]
    pub despatched_ms: u64,
}

/// What of one record may go on.
#[derive(Clone, PartialEq, Message)]
pub struct Onward {
    /// The record.
    #[prost(bytes = "vec", tag = "1")]
    pub record: Vec<u8>,
    /// Paths of its fields, ascending.
    #[prost(string, repeated, tag = "2")]
    pub paths: Vec<String>,
}

/// What a receiver says to a parcel, beside posting it.
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that answers.
    #[prost(bytes = "vec", tag = "3")]
    pub receiver: Vec<u8>,
    /// The member that has sent.
    #[prost(bytes = "vec", tag = "4")]
    pub sender: Vec<u8>,
    /// Digest of the transfer.
    #[prost(bytes = "vec", tag = "5")]
    pub transfer: Vec<u8>,
    /// Whether it is refused; otherwise it is accepted with a discrepancy.
    #[prost(bool, tag = "6")]
    pub refused: bool,
    /// Why.
    #[prost(string, tag = "7")]
    pub text: String,
    /// What was counted, of the lots that differ.
    #[prost(message, repeated, tag = "8")]
    pub counts: Vec<Count>,
    /// When, by the receiver's clock, in Unix milliseconds.
    #[prost(uint64, tag = "9")]
    pub at_ms: u64,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "10")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "11")]
    pub signature: Vec<u8>,
}

/// What a receiver counted of a lot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Count {
    /// The lot's place among the transfer's outputs, from 1, so that it takes at least two bytes.
    #[prost(uint32, tag = "1")]
    pub place: u32,
    /// Milligrams.
    #[prost(uint64, tag = "2")]
    pub mass_mg: u64,
    /// Pieces.
    #[prost(uint64, tag = "3")]
    pub pieces: u64,
}

macro_rules! signed_file {
    ($file:ty, $tag:literal, $longest:expr, $shape:expr, $maker:ident, $well:expr) => {
        impl SignedFile for $file {
            const SIGNED_AS: &'static str = $tag;
            const LONGEST: usize = $longest;

            fn shape() -> Shape {
                const { $shape }
            }

            fn frame(&mut self) -> (&mut u32, &mut Vec<u8>, &mut Vec<u8>, &mut Vec<u8>) {
                (&mut self.version, &mut self.network, &mut self.signer, &mut self.signature)
            }

            fn is_well_formed(&self) -> bool {
                let check: fn(&Self) -> bool = $well;
                check(self)
            }

            fn maker(&self) -> &[u8] {
                &self.$maker
            }
        }
    };
}

signed_file!(SealRequest, "sign/seal-request", MAX_SHORT_BYTES, &[], sender, |request| {
    is_hash(&request.receiver)
        && request.nonce.len() == 16
        && (1..=MOST_LOTS).contains(&usize::try_from(request.seals).unwrap_or(usize::MAX))
});
signed_file!(
    SealOffer,
    "sign/seal-offer",
    MAX_SHORT_BYTES,
    &[part(5, SHORT, &[])],
    receiver,
    |offer| {
        is_hash(&offer.sender)
            && (1..=MOST_LOTS).contains(&offer.seals.len())
            && offer.seals.iter().all(|seal| is_hash(seal))
            && prints(&offer.reference)
    }
);
signed_file!(
    Parcel,
    "sign/parcel",
    MAX_PARCEL_BYTES,
    &[
        part(6, SHORT, &[]),
        part(8, SHORT, &[]),
        part(10, SHORT, PATHS),
        part(13, SHORT, COMPONENTS)
    ],
    sender,
    |parcel| {
        let advice = parcel.advice.iter();
        let mut texts = advice
            .flat_map(|advice| [&advice.number, &advice.order, &advice.carrier, &advice.note]);
        is_hash(&parcel.receiver)
            && (1..=MOST_LOTS).contains(&parcel.lots.len())
            && parcel.cosignatures.len() == parcel.lots.len()
            && parcel.lots.iter().all(|lot| prints(&lot.name) && lot.blind.len() == 32)
            && parcel.onward.iter().all(|onward| is_hash(&onward.record))
            && parcel.onward.is_sorted_by(|left, right| left.record < right.record)
            && parcel.assemblies.len() <= MOST_ASSEMBLIES
            && parcel.assemblies.iter().all(is_assembly)
            && texts.all(|text| prints(text))
    }
);
signed_file!(
    Answer,
    "sign/transfer-answer",
    MAX_SHORT_BYTES,
    &[part(8, 2, &[])],
    receiver,
    |answer| {
        is_hash(&answer.sender)
            && is_hash(&answer.transfer)
            && prints(&answer.text)
            && answer.counts.is_sorted_by(|left, right| left.place < right.place)
            && answer.counts.iter().all(|count| count.place != 0)
    }
);

/// Most lots of a parcel: the log takes as many broken seals.
const MOST_LOTS: usize = heatmark_lots::MAX_INPUTS;

/// Most containers and products of a parcel, those inside others included.
pub const MOST_ASSEMBLIES: usize = 1_024;

fn is_assembly(assembly: &ParcelAssembly) -> bool {
    is_hash(&assembly.class)
        && is_hash(&assembly.salt)
        && (1..=MOST_LOTS).contains(&assembly.components.len())
        && assembly.components.iter().all(|component| prints(&component.name))
}

fn is_hash(bytes: &[u8]) -> bool {
    bytes.len() == 32
}

fn prints(text: &str) -> bool {
    text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
}
