//! The kinds of events and what each may have. What each must prove is in `rules`.

use crate::LotError;
use crate::event::{MAX_INPUTS, MAX_OUTPUTS};

/// What happened to material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Lots of a certificate's material, under its origin seal; or, without a certificate, of material that is not certified.
    Commission,
    /// Made into something else: billets into rings. Pieces do not balance.
    Transform,
    /// Worked on, piece by piece.
    Rework,
    /// One lot into several.
    Split,
    /// Several lots of one material and description into one.
    Merge,
    /// Several materials into a new one.
    Blend,
    /// Lots into one container, which gives them back as they were.
    Aggregate,
    /// The lots of a container.
    Disaggregate,
    /// Components into a product, the first input.
    Install,
    /// Components out of a product.
    Remove,
    /// Back to whom it came from.
    Return,
    /// A product repaired: it keeps its pieces and identity, material may be taken off or added.
    Repair,
    /// A product looked after: nothing but its description and expiry may change.
    Service,
    /// Other serials or another description for the same pieces.
    Relabel,
    /// To another owner: the very same lot under another seal.
    Transfer,
    /// Weighed or counted anew.
    Adjust,
    /// Scrapped, consumed or lost, whole.
    Dispose,
    /// A quantity lowered after a mistake.
    Correct,
}

const ALL: [Kind; 18] = [
    Kind::Commission,
    Kind::Transform,
    Kind::Rework,
    Kind::Split,
    Kind::Merge,
    Kind::Blend,
    Kind::Aggregate,
    Kind::Disaggregate,
    Kind::Install,
    Kind::Remove,
    Kind::Return,
    Kind::Repair,
    Kind::Service,
    Kind::Relabel,
    Kind::Transfer,
    Kind::Adjust,
    Kind::Dispose,
    Kind::Correct,
];

/// How many inputs and outputs a kind has, least and most.
pub(crate) struct Shape {
    pub(crate) inputs: (usize, usize),
    pub(crate) outputs: (usize, usize),
    /// The first output is of the first input, and so on.
    pub(crate) pairwise: bool,
}

impl Kind {
    /// All kinds in the order of their numbers.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &ALL
    }

    /// The number in the encoding, from 1.
    #[must_use]
    pub fn code(self) -> u32 {
        let before = ALL.iter().take_while(|kind| **kind != self).count();
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Reads a number.
    ///
    /// # Errors
    /// `UnknownKind`.
    pub fn from_code(code: u32) -> Result<Self, LotError> {
        let place = code.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| ALL.get(place).copied()).ok_or(LotError::UnknownKind)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Commission => "commission",
            Self::Transform => "transform",
            Self::Rework => "rework",
            Self::Split => "split",
            Self::Merge => "merge",
            Self::Blend => "blend",
            Self::Aggregate => "aggregate",
            Self::Disaggregate => "disaggregate",
            Self::Install => "install",
            Self::Remove => "remove",
            Self::Return => "return",
            Self::Repair => "repair",
            Self::Service => "service",
            Self::Relabel => "relabel",
            Self::Transfer => "transfer",
            Self::Adjust => "adjust",
            Self::Dispose => "dispose",
            Self::Correct => "correct",
        }
    }

    /// Whether each output is its input under another seal, so that a verifier needs no more of the event than the pair.
    #[must_use]
    pub const fn is_pairwise(self) -> bool {
        matches!(self, Self::Transfer | Self::Return | Self::Service | Self::Relabel)
    }

    /// Whether pieces balance. In the others that balance masses, pieces are what the maker says.
    pub(crate) const fn balances_pieces(self) -> bool {
        matches!(self, Self::Rework | Self::Split | Self::Merge | Self::Adjust | Self::Correct)
    }

    pub(crate) const fn may_scrap(self) -> bool {
        matches!(
            self,
            Self::Transform
                | Self::Rework
                | Self::Blend
                | Self::Repair
                | Self::Adjust
                | Self::Correct
        )
    }

    pub(crate) const fn may_add_uncertified(self) -> bool {
        matches!(self, Self::Blend | Self::Repair | Self::Adjust)
    }

    /// Whether a tree of serials may begin here.
    pub(crate) const fn may_number(self) -> bool {
        matches!(
            self,
            Self::Commission | Self::Transform | Self::Rework | Self::Blend | Self::Relabel
        )
    }

    /// Whether what comes out may be of another description.
    pub(crate) const fn keeps_description(self) -> bool {
        matches!(
            self,
            Self::Split
                | Self::Merge
                | Self::Transfer
                | Self::Return
                | Self::Install
                | Self::Adjust
        )
    }

    /// Whether what comes out may last longer than what went in.
    pub(crate) const fn may_extend(self) -> bool {
        matches!(self, Self::Commission | Self::Transform | Self::Service)
    }

    /// Whether material is used by it, which must not have expired; of the others nothing comes but what went in, or nothing.
    #[must_use]
    pub const fn uses_material(self) -> bool {
        !matches!(self, Self::Transfer | Self::Return | Self::Dispose | Self::Service)
    }

    pub(crate) const fn needs_reason(self) -> bool {
        matches!(self, Self::Adjust | Self::Correct | Self::Dispose)
    }

    pub(crate) const fn shape(self) -> Shape {
        let (one, many_in, many_out) = ((1, 1), (1, MAX_INPUTS), (1, MAX_OUTPUTS));
        let (inputs, outputs, pairwise) = match self {
            Self::Commission => ((0, 0), many_out, false),
            Self::Transform | Self::Rework | Self::Blend => (many_in, many_out, false),
            Self::Split => (one, (2, MAX_OUTPUTS), false),
            Self::Merge => ((2, MAX_INPUTS), one, false),
            Self::Aggregate => (many_in, one, false),
            Self::Install => ((2, MAX_INPUTS), one, false),
            Self::Disaggregate => (one, many_out, false),
            Self::Remove => (one, (2, MAX_OUTPUTS), false),
            Self::Return | Self::Service | Self::Relabel | Self::Transfer => {
                (many_in, many_out, true)
            }
            Self::Repair | Self::Adjust | Self::Correct => (one, one, true),
            Self::Dispose => (many_in, (0, 0), false),
        };
        Shape { inputs, outputs, pairwise }
    }
}
