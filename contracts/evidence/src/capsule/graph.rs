//! The graph: which events lead to a lot, through which of their outputs, and what they pass on of it: how much of it is
//! certified, and by how much weighings have raised it. Pairwise events are followed through the pair that is asked about.

use heatmark_lots::{Event, Input, Kind};
use heatmark_records::RecordId;
use std::collections::{BTreeMap, BTreeSet};

use super::events::Logged;

/// What is known of a lot from what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// At least this much is certified, in thousandths.
    pub(super) certified_permille: u32,
    /// Weighings have raised it by at most this, in millionths.
    pub(super) gain_ppm: u64,
}

const UNKNOWN: Share = Share { certified_permille: 0, gain_ppm: 0 };

/// The events that lead to a lot.
pub(super) struct Graph {
    /// The outputs that are asked about, by leaf.
    pub(super) needed: BTreeMap<u64, BTreeSet<u32>>,
    /// Inputs whose events are not there, with the leaf of an event that names them.
    pub(super) missing: BTreeSet<(u64, Input)>,
    /// Inputs that name no output of their event, or an event that does not stand before.
    pub(super) unknown: BTreeSet<u64>,
}

/// The places of the inputs that an output of an event is made of.
pub(super) fn inputs_of(event: &Event, outputs: &BTreeSet<u32>) -> Vec<usize> {
    let places = 0..event.inputs.len();
    let asked = |place: &usize| u32::try_from(*place).is_ok_and(|place| outputs.contains(&place));
    places.filter(|place| !event.kind.is_pairwise() || asked(place)).collect()
}

/// The records that an event names of the outputs that are asked about: of what was done, and of what came of it.
pub(super) fn records_of(event: &Event, outputs: &BTreeSet<u32>) -> BTreeSet<RecordId> {
    let lots =
        outputs.iter().filter_map(|output| event.outputs.get(usize::try_from(*output).ok()?));
    lots.map(|lot| lot.content.description).chain(event.process).collect()
}

impl Graph {
    /// Follows a lot back. `known` tells events that do not check, too, so that these are not called missing.
    pub(super) fn follow(lot: (u64, u32), logged: &BTreeMap<u64, Logged>) -> Self {
        let mut graph =
            Self { needed: BTreeMap::new(), missing: BTreeSet::new(), unknown: BTreeSet::new() };
        let mut open = vec![lot];
        while let Some((leaf, output)) = open.pop() {
            let Some(at) = logged.get(&leaf) else { continue };
            if !graph.needed.entry(leaf).or_default().insert(output) {
                continue;
            }
            for place in inputs_of(&at.event, &BTreeSet::from([output])) {
                let Some(input) = at.event.inputs.get(place) else { continue };
                match logged.get(&input.leaf.0) {
                    _ if input.leaf.0 >= leaf => drop(graph.unknown.insert(leaf)),
                    None => drop(graph.missing.insert((leaf, *input))),
                    Some(made) if lot_at(made, input.output).is_none() => {
                        graph.unknown.insert(leaf);
                    }
                    Some(_) => open.push((input.leaf.0, input.output)),
                }
            }
        }
        graph
    }

    /// What is known of the lot, passing from its sources on; events that did not check pass nothing on.
    pub(super) fn share(
        &self,
        lot: (u64, u32),
        logged: &BTreeMap<u64, Logged>,
        sound: &BTreeSet<u64>,
    ) -> Share {
        let mut shares: BTreeMap<(u64, u32), Share> = BTreeMap::new();
        for (leaf, outputs) in &self.needed {
            let Some(at) = logged.get(leaf).filter(|_| sound.contains(leaf)) else { continue };
            for output in outputs {
                let inputs = inputs_of(&at.event, &BTreeSet::from([*output])).into_iter();
                let of = |place: usize| {
                    let input = at.event.inputs.get(place)?;
                    shares.get(&(input.leaf.0, input.output)).copied()
                };
                let before: Vec<Share> = inputs.map(|place| of(place).unwrap_or(UNKNOWN)).collect();
                shares.insert((*leaf, *output), passed_on(&at.event, &before));
            }
        }
        shares.get(&lot).copied().unwrap_or(UNKNOWN)
    }
}

pub(super) fn lot_at(logged: &Logged, output: u32) -> Option<&heatmark_lots::Lot> {
    logged.event.outputs.get(usize::try_from(output).ok()?)
}

fn passed_on(event: &Event, before: &[Share]) -> Share {
    if event.kind == Kind::Commission {
        let certified_permille = if event.origin.is_some() { 1_000 } else { 0 };
        return Share { certified_permille, gain_ppm: 0 };
    }
    let least = before.iter().map(|share| share.certified_permille).min().unwrap_or(0);
    let most = before.iter().map(|share| share.gain_ppm).max().unwrap_or(0);
    let added = event.uncertified.as_ref().map_or(0, |added| added.permille);
    let kept = 1_000_u32.saturating_sub(added);
    let certified_permille = least.saturating_mul(kept).checked_div(1_000).unwrap_or(0);
    let gain = event.gain.as_ref().map_or(0, |gain| u64::from(gain.permille));
    // (1 + a)(1 + b) − 1, rounded up.
    let grown = most.saturating_add(1_000_000).saturating_mul(gain).div_ceil(1_000);
    Share { certified_permille, gain_ppm: most.saturating_add(grown) }
}
