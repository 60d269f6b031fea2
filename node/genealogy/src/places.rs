//! Where each event's lots are, by its leaf. Events come ascending when all are read anew, and mostly so later: those that
//! do stand in arrays that are searched by halves, the others beside them.

use std::collections::BTreeMap;

use crate::genealogy::width;

#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Leaves that came ascending.
    leaves: Vec<u64>,
    /// The first lot of each.
    first: Vec<u32>,
    /// Of the others, first lot and number of lots, by leaf.
    late: BTreeMap<u64, (u32, u32)>,
    /// Their leaves, by first lot.
    late_leaf: BTreeMap<u32, (u64, u32)>,
    /// How many lots there are.
    lots: u32,
}

impl Places {
    pub(crate) fn with_capacity(lots: usize) -> Self {
        Self {
            leaves: Vec::with_capacity(lots),
            first: Vec::with_capacity(lots),
            ..Self::default()
        }
    }

    /// Notes an event whose lots come next.
    pub(crate) fn insert(&mut self, leaf: u64, first: u32, outputs: u32) {
        if self.leaves.last().is_none_or(|last| *last < leaf) {
            self.leaves.push(leaf);
            self.first.push(first);
        } else {
            self.late.insert(leaf, (first, outputs));
            self.late_leaf.insert(first, (leaf, outputs));
        }
        self.lots = first.saturating_add(outputs);
    }

    /// The first lot of an event, and how many it has.
    pub(crate) fn find(&self, leaf: u64) -> Option<(u32, u32)> {
        let Ok(at) = self.leaves.binary_search(&leaf) else {
            return self.late.get(&leaf).copied();
        };
        let first = *self.first.get(at)?;
        let next = at.checked_add(1).and_then(|next| self.first.get(next));
        let end = next.copied().unwrap_or(self.lots);
        // Late events' lots stand between those of two that came in order.
        let late = self.late_leaf.range(first..end).find(|(_, (_, outputs))| *outputs > 0);
        let end = late.map_or(end, |(late, _)| (*late).min(end));
        Some((first, end.saturating_sub(first)))
    }

    /// The leaf of the event that made a lot, and that event's first lot.
    pub(crate) fn of_lot(&self, lot: u32) -> Option<(u64, u32)> {
        if let Some((first, (leaf, outputs))) = self.late_leaf.range(..=lot).next_back()
            && lot.saturating_sub(*first) < *outputs
        {
            return Some((*leaf, *first));
        }
        let after = self.first.partition_point(|first| *first <= lot);
        let at = after.checked_sub(1)?;
        Some((*self.leaves.get(at)?, *self.first.get(at)?))
    }

    pub(crate) fn bytes(&self) -> usize {
        let late = self.late.len().saturating_mul(32);
        self.leaves
            .capacity()
            .saturating_mul(8)
            .saturating_add(width(4).saturating_mul(self.first.capacity()))
            .saturating_add(late)
    }
}
