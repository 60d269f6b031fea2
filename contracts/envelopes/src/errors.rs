//! What can go wrong with an envelope, a share or a content; each says whose fault it is.

/// Why an envelope was not made or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are no public key that a seed could have given: ask its owner for another one.
    #[error("these bytes are not a sealing key")]
    BadKey,
    /// The caller wants to seal, or was sent, more than
    /// [`MAX_SEALED_CONTENT_BYTES`](crate::MAX_SEALED_CONTENT_BYTES): larger things are encrypted as contents.
    #[error("an envelope holds at most {max} bytes", max = crate::MAX_SEALED_CONTENT_BYTES)]
    TooLong,
    /// The envelope is shorter than any: it was cut off, or is none.
    #[error("the envelope is shorter than any envelope")]
    TooShort,
    /// The envelope is of a suite that this program does not know: update it.
    #[error("the envelope is of the unknown suite {0}")]
    UnknownSuite(u16),
    /// The envelope was changed, is for another key, or is for another purpose; which of these, nobody can tell.
    #[error("the envelope does not open with this key for this purpose")]
    Refused,
}

/// Why a share, a secret or commitments are refused; whoever dealt or sent them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The caller asked for another sharing than 1 ≤ t ≤ n ≤ 32.
    #[error("no {threshold} of {shares} shares: 1 ≤ t ≤ n ≤ {max}", max = crate::MAX_SHARES)]
    BadSharing {
        /// Shares that are to be needed.
        threshold: u8,
        /// Shares that there are to be.
        shares: u8,
    },
    /// The bytes have another length than the encoding: refuse whoever sent them.
    #[error("the bytes have another length than the encoding")]
    WrongLength,
    /// An index is not 1 to 32.
    #[error("a share's index is 1 to {max}, not {0}", max = crate::MAX_SHARES)]
    BadIndex(u8),
    /// A scalar is not below the group's order.
    #[error("a scalar is not in its canonical encoding")]
    BadScalar,
    /// A point is not canonical, or is the identity, which no honest dealer publishes.
    #[error("a commitment is not a canonical point, or is the identity")]
    BadCommitment,
    /// The secret was dealt for another number of shares than announced: refuse the whole dealing.
    #[error("{needed} shares open what was dealt, not {announced}")]
    WrongThreshold {
        /// Shares that should be needed.
        announced: u8,
        /// Shares that are needed by the commitments.
        needed: u8,
    },
    /// The share is not of the dealing that these commitments are of: do not sign for it, or show it as evidence.
    #[error("share {index} does not follow from the commitments")]
    Mismatch {
        /// The share's index.
        index: u8,
    },
}

/// Why shares do not give the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Not enough good shares: get others than those that are named as bad.
    #[error(
        "{needed} good shares are needed and {good} are there; bad ones have the indices {bad:?}"
    )]
    TooFew {
        /// How many the commitments ask for.
        needed: u8,
        /// Good ones of different indices.
        good: u8,
        /// Indices of the shares that do not follow from the commitments, ascending, each once.
        bad: Vec<u8>,
    },
    /// What the good shares give does not open the first commitment: somebody knows a relation between the generators.
    #[error("the shares agree with the commitments and yet do not open the first one")]
    NotOpened,
}

/// Why a content or a piece of it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// More than [`MAX_CONTENT_BYTES`](crate::MAX_CONTENT_BYTES), or more than the identifier says: the surplus is not used.
    #[error("the content is longer than it may be")]
    TooLong,
    /// No content has a ciphertext of that many bytes: the identifier is not one.
    #[error("no content has {0} bytes of ciphertext")]
    BadLength(u64),
    /// The ciphertext ended too early: get the rest.
    #[error("the content ended after {0} bytes of ciphertext")]
    CutOff(u64),
    /// The piece was changed, belongs elsewhere, or the secret or context is another one: get that piece from somebody else.
    #[error("piece {number} is not what was encrypted there, or the secret is another one")]
    BadPiece {
        /// The piece, counted from 0.
        number: u32,
    },
    /// The pieces decrypt but are not those that the root is of: whoever encrypted them made two versions.
    #[error("the ciphertext is not the one that the root is of")]
    WrongRoot,
    /// There is no piece of that number.
    #[error("there is no piece {number}")]
    NoSuchPiece {
        /// The number asked for.
        number: u32,
    },
    /// The proof does not hold for this piece at this place: its sender does not hold the content, or holds a rotten one.
    #[error("the proof of a piece does not hold")]
    BadProof(#[from] heatmark_merkle::ProofError),
}
