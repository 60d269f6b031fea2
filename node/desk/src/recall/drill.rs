//! A drill: what a recall would reach, played through on the company's own data. Nothing is raised on the log and no lot is
//! marked. Refuses to make up material: where the company has none of a kind, that drill is not played.

use crate::genealogy::Known;
use crate::{AffectedView, Desk, DeskError, blocking};
use heatmark_genealogy::{Direction, LotId, RecordKind, Walker, Where};
use heatmark_records::RecordId;
use std::collections::BTreeSet;

/// Candidates that are tried for the one that reaches most.
const MOST_TRIED: usize = 200;

/// What is assumed to be bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillKind {
    /// A supplier's certificate: its heat has a fault.
    SupplierFault,
    /// An event of this company: what it made has to be worked on again.
    InternalRework,
    /// A lot that came back from a customer: its sources are suspect, and all else that is made of them.
    CustomerReturn,
}

impl DrillKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::SupplierFault, Self::InternalRework, Self::CustomerReturn];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SupplierFault => "supplier-fault",
            Self::InternalRework => "internal-rework",
            Self::CustomerReturn => "customer-return",
        }
    }
}

/// What one drill came to.
#[derive(Debug, Clone)]
pub struct Drill {
    /// What was assumed.
    pub kind: DrillKind,
    /// What of: a heat, a record's id, or a lot's name.
    pub about: String,
    /// What it reaches; its time is that of the whole search.
    pub affected: AffectedView,
}

impl Desk {
    /// Plays each kind of drill on the material that reaches most, or would have; kinds of which there is nothing are left out.
    ///
    /// # Errors
    /// As of the disk.
    pub async fn drill(&self) -> Result<Vec<Drill>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            desk.with_known(|known, walker| {
                let mut drills = Vec::with_capacity(DrillKind::ALL.len());
                for kind in DrillKind::ALL {
                    let Some((about, from)) =
                        known.candidate(kind, walker, desk.parts.member.as_bytes())
                    else {
                        continue;
                    };
                    let begun = std::time::Instant::now();
                    let from = match kind {
                        DrillKind::CustomerReturn => known.sources(walker, from),
                        _ => from,
                    };
                    let mut affected = desk.affected_from(known, walker, from)?;
                    affected.found_us =
                        u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                    drills.push(Drill { kind, about, affected });
                }
                Ok(drills)
            })
        })
        .await
    }
}

impl Known {
    /// What a drill is about, and the lots with which it begins.
    fn candidate(
        &self,
        kind: DrillKind,
        walker: &mut Walker,
        own: &[u8; 32],
    ) -> Option<(String, Vec<LotId>)> {
        let candidates = match kind {
            DrillKind::SupplierFault => self.certificates(own),
            DrillKind::InternalRework => self.own_lots(|_| true, own),
            DrillKind::CustomerReturn => self.own_lots(|at| matches!(at, Where::Sent(_)), own),
        };
        let reach = |walker: &mut Walker, from: &[LotId]| {
            let reached = walker.walk(&self.graph, from.iter().copied(), Direction::Down);
            reached.iter().filter(|lot| self.holdings.get(**lot).is_some()).count()
        };
        let mut best: Option<(usize, (String, Vec<LotId>))> = None;
        for candidate in candidates.into_iter().take(MOST_TRIED) {
            let reached = reach(walker, &candidate.1);
            if reached > 0 && best.as_ref().is_none_or(|(most, _)| reached > *most) {
                best = Some((reached, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// Certificates that lots here bear, others' before own.
    fn certificates(&self, own: &[u8; 32]) -> Vec<(String, Vec<LotId>)> {
        let records = self.about.records();
        let certificates = records.filter(|(_, kind)| *kind == Some(RecordKind::Certificate));
        let mut found: Vec<(bool, [u8; 32])> = certificates
            .map(|(record, _)| {
                let facts = self.facts.get(&RecordId::from(*record));
                (facts.is_none_or(|facts| facts.issuer == *own), *record)
            })
            .collect();
        found.sort_unstable();
        let others = found.iter().any(|(own, _)| !own);
        found.retain(|(own, _)| !own || !others);
        let named = |record: [u8; 32]| {
            let heat = self.about.told(&record).and_then(|told| told.heat.clone());
            let name = heat.unwrap_or_else(|| super::hex(&record));
            (name, self.about.lots(&self.graph, &record).collect())
        };
        found.into_iter().map(|(_, record)| named(record)).collect()
    }

    /// Own lots, those first that events of this company made.
    fn own_lots(
        &self,
        wanted: impl Fn(Where) -> bool,
        own: &[u8; 32],
    ) -> Vec<(String, Vec<LotId>)> {
        let own = self.graph.member_index(own);
        let held = self.holdings.all().filter(|(_, held)| wanted(held.at));
        let mut lots: Vec<(bool, LotId, &str)> = held
            .map(|(lot, held)| (self.graph.carrier(lot) != own, lot, held.name.as_str()))
            .collect();
        lots.sort_unstable();
        lots.into_iter().map(|(_, lot, name)| (name.to_owned(), vec![lot])).collect()
    }

    /// All lots of the material that lots are made of: whatever was commissioned together with their sources.
    fn sources(&self, walker: &mut Walker, from: Vec<LotId>) -> Vec<LotId> {
        let reached = walker.walk(&self.graph, from, Direction::Up);
        let raw = reached.iter().filter(|lot| self.graph.parents(**lot).next().is_none());
        let leaves: BTreeSet<u64> =
            raw.filter_map(|lot| self.graph.place(*lot)).map(|place| place.leaf).collect();
        leaves.into_iter().flat_map(|leaf| self.graph.lots_at(leaf)).collect()
    }
}
