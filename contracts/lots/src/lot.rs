//! A lot: with its quantities, as its owner has it, and with commitments in their place, as others see it. Its content is
//! everything that a transfer keeps; the seal and a nonce come on top. Refuses encodings that are not canonical.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use heatmark_merkle::{Hash, tag};
use heatmark_records::{Blinding, Commitment, RecordId};
use prost::Message;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::serials::Serials;
use crate::{LotError, LotHash, wire};

/// Longest encoding of a lot, in bytes.
pub const MAX_LOT_BYTES: usize = 4 << 10;

/// A quantity committed to: v·G + r·H, with its point at hand.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    commitment: Commitment,
    point: RistrettoPoint,
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.commitment == other.commitment
    }
}

impl Eq for Amount {}

impl Amount {
    /// Takes a commitment.
    ///
    /// # Errors
    /// `BadCommitment` when it is not the one encoding of a point.
    pub fn new(commitment: Commitment) -> Result<Self, LotError> {
        let point = commitment.point().map_err(|_| LotError::BadCommitment)?;
        Ok(Self { commitment, point })
    }

    /// Reads the one encoding of a point.
    ///
    /// # Errors
    /// `BadCommitment`.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        let bytes = bytes.try_into().map_err(|_| LotError::NotCanonical)?;
        Self::new(Commitment::decode(bytes)?)
    }

    pub(crate) fn of(point: RistrettoPoint) -> Self {
        Self { commitment: Commitment::of(&point), point }
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.commitment.as_bytes()
    }

    pub(crate) const fn point(&self) -> &RistrettoPoint {
        &self.point
    }
}

/// A quantity with what hides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAmount {
    /// Milligrams, or pieces.
    pub number: u64,
    /// What hides it.
    pub blinding: Blinding,
}

impl OpenAmount {
    /// A quantity under a fresh blinding.
    #[must_use]
    pub fn fresh(number: u64, rng: &mut impl CryptoRng) -> Self {
        Self { number, blinding: Blinding::random(rng) }
    }

    /// The quantity of an assembly: of its components together, under the sum of their blindings. None beyond 64 bits.
    #[must_use]
    pub fn total<'a>(parts: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let mut total = (0_u64, Scalar::ZERO);
        for part in parts {
            let (number, blinding) = total;
            let number = number.checked_add(part.number)?;
            total = (number, crate::sums::plus(&blinding, &part.blinding));
        }
        Some(Self { number: total.0, blinding: Blinding::from_scalar(total.1) })
    }

    /// The commitment.
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount::of(self.point())
    }

    fn point(&self) -> RistrettoPoint {
        crate::sums::commit(self.number, &self.blinding)
    }

    pub(crate) fn opens(&self, amount: &Amount) -> bool {
        self.point() == *amount.point()
    }
}

/// What a transfer keeps of a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its mass in milligrams, committed to.
    pub mass: Amount,
    /// Its pieces, committed to.
    pub pieces: Amount,
    /// Its material class: what certificate, or what mixture, it is of.
    pub class: Hash,
    /// Record root of its own description.
    pub description: RecordId,
    /// The serials that its pieces carry, if they do.
    pub serials: Option<Serials>,
    /// From when on it must not be used, in Unix milliseconds; 0 for never.
    pub expires_ms: u64,
}

impl Content {
    /// `H("lot-content", network, the encoding without seal and nonce)`.
    #[must_use]
    pub fn hash(&self, network: &[u8; 32]) -> Hash {
        tag::hash("lot-content", &[network, &wire::Lot::content(self).encode_to_vec()])
    }
}

/// A lot in committed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// What a transfer keeps.
    pub content: Content,
    /// Hash of the seal.
    pub seal: Hash,
    /// 32 random bytes.
    pub nonce: [u8; 32],
}

impl Lot {
    /// `H("lot", network, encoding)`: what stands on the log.
    #[must_use]
    pub fn hash(&self, network: &[u8; 32]) -> LotHash {
        tag::hash("lot", &[network, &self.encode()])
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::Lot::from(self).encode_to_vec()
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        wire::decode::<wire::Lot>(bytes, MAX_LOT_BYTES)?.lot()
    }

    /// The same lot under another seal, as a transfer makes it.
    #[must_use]
    pub fn sealed_anew(&self, seal: Hash, rng: &mut impl CryptoRng) -> Self {
        Self { content: self.content.clone(), seal, nonce: nonce(rng) }
    }
}

/// What a new lot is, apart from its quantities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its material class.
    pub class: Hash,
    /// Record root of its description.
    pub description: RecordId,
    /// The serials of its pieces.
    pub serials: Option<Serials>,
    /// From when on it must not be used; 0 for never.
    pub expires_ms: u64,
    /// Hash of its seal.
    pub seal: Hash,
}

/// A lot with its quantities: only its owner, and whoever gave it to them, can open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLot {
    lot: Lot,
    mass: OpenAmount,
    pieces: OpenAmount,
}

impl OpenLot {
    /// A new lot under fresh blindings.
    #[must_use]
    pub fn fresh(mass_mg: u64, pieces: u64, terms: Terms, rng: &mut impl CryptoRng) -> Self {
        let mass = OpenAmount::fresh(mass_mg, rng);
        let pieces = OpenAmount::fresh(pieces, rng);
        Self::seal(mass, pieces, terms, rng)
    }

    /// A new lot under quantities whose blindings are given: those of an assembly follow from its components.
    #[must_use]
    pub fn seal(
        mass: OpenAmount,
        pieces: OpenAmount,
        terms: Terms,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let content = Content {
            mass: mass.amount(),
            pieces: pieces.amount(),
            class: terms.class,
            description: terms.description,
            serials: terms.serials,
            expires_ms: terms.expires_ms,
        };
        let lot = Lot { content, seal: terms.seal, nonce: nonce(rng) };
        Self { lot, mass, pieces }
    }

    /// Takes a lot with the quantities that its sender names.
    ///
    /// # Errors
    /// `WrongOpening` when they are not those committed to: do not accept the lot.
    pub fn open(lot: Lot, mass: OpenAmount, pieces: OpenAmount) -> Result<Self, LotError> {
        if mass.opens(&lot.content.mass) && pieces.opens(&lot.content.pieces) {
            Ok(Self { lot, mass, pieces })
        } else {
            Err(LotError::WrongOpening)
        }
    }

    /// The same quantities under another lot of the same content: after a transfer.
    ///
    /// # Errors
    /// `WrongOpening` when the contents' commitments differ.
    pub fn moved_to(&self, lot: Lot) -> Result<Self, LotError> {
        Self::open(lot, self.mass.clone(), self.pieces.clone())
    }

    /// The lot as others see it.
    #[must_use]
    pub const fn lot(&self) -> &Lot {
        &self.lot
    }

    /// Its mass in milligrams.
    #[must_use]
    pub const fn mass(&self) -> &OpenAmount {
        &self.mass
    }

    /// Its pieces.
    #[must_use]
    pub const fn pieces(&self) -> &OpenAmount {
        &self.pieces
    }

    /// The canonical encoding. It tells the quantities: encrypt it wherever it rests, and send it to the lot's receiver only.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(wire::OpenLot::from(self).encode_to_vec())
    }

    /// Reads a canonical encoding and checks that the quantities open the commitments.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, `WrongOpening`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        wire::decode::<wire::OpenLot>(bytes, MAX_LOT_BYTES)?.open()
    }
}

/// What the holder of an opened lot reads of it without a computation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotFigures {
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces.
    pub pieces: u64,
    /// Record root of its description.
    pub description: RecordId,
}

impl LotFigures {
    /// Reads an encoding of an [`OpenLot`] that was checked before it was kept; commitments are not looked at.
    ///
    /// # Errors
    /// `TooLong` or `NotCanonical`.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        wire::decode::<wire::OpenLot>(bytes, MAX_LOT_BYTES)?.figures()
    }
}

fn nonce(rng: &mut impl CryptoRng) -> [u8; 32] {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    nonce
}
