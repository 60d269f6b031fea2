//! Which steps use a lot. Most stand in one compressed array; those that came since are chained, and put into the array once
//! they are many, so that adding stays cheap and a walk stays in few places of memory.

use std::collections::HashMap;

use crate::genealogy::{UNKNOWN, width};

/// So many chained uses are not worth the trouble.
const FEW: usize = 1 << 12;

#[derive(Debug, Default)]
pub(crate) struct Users {
    /// By lot, where its steps begin in `steps`; those of the next end it.
    at: Vec<u32>,
    steps: Vec<u32>,
    /// By lot, its newest use among `chain`.
    newest: HashMap<u32, u32>,
    /// A step, and the use of the same lot before it.
    chain: Vec<(u32, u32)>,
}

impl Users {
    /// Notes that a step uses a lot.
    pub(crate) fn add(&mut self, lot: u32, step: u32) {
        if lot == UNKNOWN {
            return;
        }
        let use_ = u32::try_from(self.chain.len()).unwrap_or(UNKNOWN);
        let before = self.newest.insert(lot, use_).unwrap_or(UNKNOWN);
        self.chain.push((step, before));
    }

    /// Whether an eighth of all is chained.
    pub(crate) fn is_ragged(&self) -> bool {
        self.chain.len() > FEW.max(self.steps.len() / 8)
    }

    /// Writes the array anew from all uses, which are given twice: to be counted, and to be placed.
    pub(crate) fn compact<I: Iterator<Item = (u32, u32)>>(
        &mut self,
        lots: usize,
        uses: impl Fn() -> I,
    ) {
        let mut at = vec![0_u32; lots.saturating_add(1)];
        for (lot, _) in uses() {
            if let Some(count) = at.get_mut(width(lot)) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for place in &mut at {
            let count = *place;
            *place = sum;
            sum = sum.saturating_add(count);
        }
        let mut steps = vec![0_u32; width(sum)];
        for (lot, step) in uses() {
            let Some(place) = at.get_mut(width(lot)) else { continue };
            if let Some(slot) = steps.get_mut(width(*place)) {
                *slot = step;
            }
            *place = place.saturating_add(1);
        }
        // Each now points behind its own: where the next begins.
        at.rotate_right(1);
        if let Some(first) = at.first_mut() {
            *first = 0;
        }
        *self = Self { at, steps, newest: HashMap::new(), chain: Vec::new() };
    }

    /// The steps that use a lot.
    pub(crate) fn of(&self, lot: u32) -> impl Iterator<Item = u32> {
        let start = self.at.get(width(lot)).copied().unwrap_or(0);
        let end = width(lot).checked_add(1).and_then(|next| self.at.get(next)).copied();
        let range = width(start)..width(end.unwrap_or(start));
        let settled = self.steps.get(range).unwrap_or_default().iter().copied();
        let newest = if self.newest.is_empty() { None } else { self.newest.get(&lot) };
        let mut next = newest.copied().unwrap_or(UNKNOWN);
        let chained = std::iter::from_fn(move || {
            let (step, before) = *self.chain.get(width(next))?;
            next = before;
            Some(step)
        });
        settled.chain(chained)
    }

    pub(crate) fn bytes(&self) -> usize {
        let words = self.at.capacity().saturating_add(self.steps.capacity()).saturating_mul(4);
        let chained = self.newest.capacity().saturating_mul(9);
        words.saturating_add(chained).saturating_add(self.chain.capacity().saturating_mul(8))
    }
}
