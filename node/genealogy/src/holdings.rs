//! The lots that are or were this company's own, and where each is now.

use std::collections::HashMap;

use crate::genealogy::width;
use crate::{LotId, MemberIndex};

/// Where an own lot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In stock.
    Here,
    /// Used, scrapped or gone by an event that keeps nothing here.
    Used,
    /// On its way to a member, or with it.
    Sent(MemberIndex),
}

/// An own lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Its name here.
    pub name: String,
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces.
    pub pieces: u64,
    /// Where it is.
    pub at: Where,
    /// From whom it came, where it was not made here.
    pub from: Option<MemberIndex>,
}

/// The own lots.
#[derive(Debug, Default)]
pub struct Holdings {
    /// A bit a lot, so that walks over others' lots look nothing up.
    own: Vec<u64>,
    by_lot: HashMap<LotId, Holding>,
}

impl Holdings {
    /// Notes an own lot, or what became of it.
    pub fn put(&mut self, lot: LotId, holding: Holding) {
        let (word, bit) = bit(lot);
        if self.own.len() <= word {
            self.own.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.own.get_mut(word) {
            *bits |= bit;
        }
        self.by_lot.insert(lot, holding);
    }

    /// An own lot.
    #[must_use]
    pub fn get(&self, lot: LotId) -> Option<&Holding> {
        let (word, bit) = bit(lot);
        let own = self.own.get(word).is_some_and(|bits| bits & bit != 0);
        if own { self.by_lot.get(&lot) } else { None }
    }

    /// Own lots whose name holds a text, whatever its case, ascending by name; at most `limit`.
    #[must_use]
    pub fn search(&self, text: &str, limit: usize) -> Vec<LotId> {
        let text = text.trim().to_lowercase();
        let found = self.by_lot.iter();
        let found = found.filter(|(_, held)| held.name.to_lowercase().contains(&text));
        let mut found: Vec<(&str, LotId)> =
            found.map(|(lot, held)| (held.name.as_str(), *lot)).collect();
        found.sort_unstable();
        found.into_iter().take(limit).map(|(_, lot)| lot).collect()
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = (LotId, &Holding)> {
        self.by_lot.iter().map(|(lot, holding)| (*lot, holding))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_lot.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_lot.is_empty()
    }
}

fn bit(lot: LotId) -> (usize, u64) {
    (width(lot.0 >> 6), 1_u64.rotate_left(lot.0))
}
