//! What each kind of event has to show, given its inputs: which classes, serials and descriptions follow, and which sums of
//! commitments its proofs are about. Refuses whatever the kind does not allow before any proof is looked at.

use heatmark_merkle::Hash;
use std::collections::BTreeMap;

use crate::assembly::{check_put_together, check_taken_apart, earliest};
use crate::class::{blend_class, certified_class, uncertified_class};
use crate::serials::{Serials, follow};
use crate::sums::{Points, Slot, Statements, Sum};
use crate::{CertifiedMass, Event, Kind, Lot, LotError};

/// An event with what it is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The network's id.
    pub network: &'a [u8; 32],
    /// The event.
    pub event: &'a Event,
    /// The lots that its inputs name, in order. Of a pairwise event those may be missing whose outputs nobody asks about.
    pub inputs: &'a [Option<&'a Lot>],
    /// The mass of the certificate that a commission names.
    pub certified: Option<&'a CertifiedMass>,
}

/// Trees of serials that begin with an event: in one history no tree begins twice.
pub type Introduced = Vec<Hash>;

/// What an event that keeps the rules leaves to be proved.
pub(crate) struct Ruled {
    pub(crate) points: Points,
    pub(crate) statements: Statements,
    /// The outputs whose number of pieces has to be opened, since their serials tell it.
    pub(crate) numbered: Vec<usize>,
    pub(crate) introduced: Introduced,
}

impl Facts<'_> {
    /// Checks the rules of the kind.
    pub(crate) fn rule(&self) -> Result<Ruled, LotError> {
        self.event.check()?;
        if self.inputs.len() != self.event.inputs.len() {
            return Err(LotError::InputMissing);
        }
        let mut ruled = Ruled {
            points: Points::new(),
            statements: Statements::default(),
            numbered: Vec::new(),
            introduced: Introduced::new(),
        };
        if self.event.kind.is_pairwise() {
            self.rule_pairs(&mut ruled)?;
            return Ok(ruled);
        }
        let inputs: Option<Vec<&Lot>> = self.inputs.iter().copied().collect();
        let inputs = inputs.ok_or(LotError::InputMissing)?;
        match self.event.kind {
            Kind::Aggregate | Kind::Install => {
                check_put_together(self.event, self.network, &inputs)?;
            }
            Kind::Disaggregate | Kind::Remove => {
                let [whole] = inputs.as_slice() else { return Err(LotError::Shape) };
                check_taken_apart(self.event, self.network, whole)?;
            }
            Kind::Dispose => {}
            Kind::Commission => self.rule_commission(&mut ruled)?,
            _ => self.rule_balanced(&inputs, &mut ruled)?,
        }
        Ok(ruled)
    }

    /// Each output is its input under another seal, but for what the kind may change.
    fn rule_pairs(&self, ruled: &mut Ruled) -> Result<(), LotError> {
        for (input, output) in self.inputs.iter().zip(&self.event.outputs) {
            let Some(input) = input else { continue };
            let (before, after) = (&input.content, &output.content);
            let kept = before.mass == after.mass
                && before.pieces == after.pieces
                && before.class == after.class;
            let described = match self.event.kind {
                Kind::Transfer | Kind::Return => before == after,
                Kind::Service => before.serials == after.serials,
                _ => before.expires_ms == after.expires_ms,
            };
            if !kept || !described {
                return Err(LotError::Changed);
            }
            if self.event.kind == Kind::Relabel && after.serials != before.serials {
                let (before, after): (Vec<_>, Vec<_>) =
                    (before.serials.iter().collect(), after.serials.iter().collect());
                ruled.introduced.extend(follow(&before, &after, true)?);
            }
        }
        if self.event.kind == Kind::Relabel {
            // One tree may be begun for several pairs.
            ruled.introduced.sort_unstable();
            ruled.introduced.dedup();
            let serials: Vec<&Serials> =
                self.event.outputs.iter().filter_map(|lot| lot.content.serials.as_ref()).collect();
            // Apart from each other, and as many as their pieces, also where the input of one is not there.
            follow(&serials, &serials, true)?;
            ruled.points = self.points(&[]);
            ruled.numbered = self.numbered();
        }
        Ok(())
    }

    fn rule_commission(&self, ruled: &mut Ruled) -> Result<(), LotError> {
        let event = self.event;
        let class = match &event.origin {
            Some(record) => certified_class(self.network, record),
            None => uncertified_class(self.network, &event.salt),
        };
        if event.outputs.iter().any(|lot| lot.content.class != class) {
            return Err(LotError::Class);
        }
        self.rule_serials(&[], ruled)?;
        ruled.points = self.points(&[]);
        let masses = (0..event.outputs.len()).map(Slot::OutputMass);
        ruled.statements.ranges = masses.clone().map(|slot| vec![(1, slot)]).collect();
        match (&event.origin, self.certified) {
            (None, None) => {}
            (Some(_), Some(certified)) => {
                ruled.points.insert(Slot::Certified, *certified.number.point());
                let minus = certified.divisor.checked_neg().ok_or(LotError::NoCertifiedMass)?;
                let mut left: Sum = vec![(certified.factor, Slot::Certified)];
                left.extend(masses.map(|slot| (minus, slot)));
                ruled.statements.ranges.push(left);
            }
            _ => return Err(LotError::NoCertifiedMass),
        }
        Ok(())
    }

    fn rule_balanced(&self, inputs: &[&Lot], ruled: &mut Ruled) -> Result<(), LotError> {
        self.rule_class(inputs)?;
        self.rule_kept(inputs)?;
        if self.event.kind != Kind::Repair {
            self.rule_serials(inputs, ruled)?;
        }
        ruled.points = self.points(inputs);
        ruled.statements = self.balances();
        Ok(())
    }

    fn rule_class(&self, inputs: &[&Lot]) -> Result<(), LotError> {
        let event = self.event;
        let mut before = inputs.iter().map(|lot| lot.content.class);
        let class = if event.kind == Kind::Blend {
            let added = event.uncertified.is_some();
            let added = added.then(|| uncertified_class(self.network, &event.salt));
            blend_class(self.network, &event.salt, before.by_ref().chain(added))
        } else {
            before.next().ok_or(LotError::Shape)?
        };
        let same = before.all(|other| other == class)
            && event.outputs.iter().all(|lot| lot.content.class == class);
        if same { Ok(()) } else { Err(LotError::Class) }
    }

    /// Descriptions and expiries that follow from what went in.
    fn rule_kept(&self, inputs: &[&Lot]) -> Result<(), LotError> {
        let (kind, outputs) = (self.event.kind, &self.event.outputs);
        if kind.keeps_description() {
            let mut descriptions =
                inputs.iter().copied().chain(outputs).map(|lot| lot.content.description);
            let first = descriptions.next();
            if descriptions.any(|other| Some(other) != first) {
                return Err(LotError::Changed);
            }
        }
        if kind == Kind::Repair {
            let pair = inputs.first().zip(outputs.first()).ok_or(LotError::Shape)?;
            let (before, after) = (&pair.0.content, &pair.1.content);
            if before.pieces != after.pieces || before.serials != after.serials {
                return Err(LotError::Changed);
            }
        }
        let limit = earliest(inputs.iter().map(|lot| &lot.content));
        let within = |expires: u64| limit == 0 || (expires != 0 && expires <= limit);
        if !kind.may_extend() && !outputs.iter().all(|lot| within(lot.content.expires_ms)) {
            return Err(LotError::Expiry);
        }
        Ok(())
    }

    fn rule_serials(&self, inputs: &[&Lot], ruled: &mut Ruled) -> Result<(), LotError> {
        let before: Vec<&Serials> =
            inputs.iter().filter_map(|lot| lot.content.serials.as_ref()).collect();
        let after: Vec<&Serials> =
            self.event.outputs.iter().filter_map(|lot| lot.content.serials.as_ref()).collect();
        ruled.introduced = follow(&before, &after, self.event.kind.may_number())?;
        ruled.numbered = self.numbered();
        Ok(())
    }

    /// The outputs with serials.
    fn numbered(&self) -> Vec<usize> {
        let outputs = self.event.outputs.iter().enumerate();
        outputs.filter(|(_, lot)| lot.content.serials.is_some()).map(|(place, _)| place).collect()
    }

    fn points(&self, inputs: &[&Lot]) -> Points {
        let mut points = BTreeMap::new();
        for (place, lot) in inputs.iter().enumerate() {
            points.insert(Slot::InputMass(place), *lot.content.mass.point());
            points.insert(Slot::InputPieces(place), *lot.content.pieces.point());
        }
        for (place, lot) in self.event.outputs.iter().enumerate() {
            points.insert(Slot::OutputMass(place), *lot.content.mass.point());
            points.insert(Slot::OutputPieces(place), *lot.content.pieces.point());
        }
        let scrap = self.event.scrap.as_ref();
        let uncertified = self.event.uncertified.as_ref().map(|added| &added.amounts);
        let parts = [
            (Slot::ScrapMass, scrap.map(|amounts| &amounts.mass)),
            (Slot::ScrapPieces, scrap.and_then(|amounts| amounts.pieces.as_ref())),
            (Slot::UncertifiedMass, uncertified.map(|amounts| &amounts.mass)),
            (Slot::UncertifiedPieces, uncertified.and_then(|amounts| amounts.pieces.as_ref())),
            (Slot::Gain, self.event.gain.as_ref().map(|gain| &gain.mass)),
        ];
        let there = parts.into_iter().filter_map(|(slot, amount)| Some((slot, *amount?.point())));
        points.extend(there);
        points
    }

    /// What goes in less what comes out is nothing; whatever comes out, is lost or is added is in range; and what is added
    /// stays within what is shown of it.
    fn balances(&self) -> Statements {
        let event = self.event;
        let (ins, outs) = (event.inputs.len(), event.outputs.len());
        let mut mass: Sum = (0..ins).map(|place| (1, Slot::InputMass(place))).collect();
        let mut pieces: Sum = (0..ins).map(|place| (1, Slot::InputPieces(place))).collect();
        let mut ranges: Vec<Sum> = Vec::new();
        let mut put = |sum: &mut Sum, factor, slot| {
            sum.push((factor, slot));
            ranges.push(vec![(1, slot)]);
        };
        (0..outs).for_each(|place| put(&mut mass, -1, Slot::OutputMass(place)));
        if event.scrap.is_some() {
            put(&mut mass, -1, Slot::ScrapMass);
        }
        if event.uncertified.is_some() {
            put(&mut mass, 1, Slot::UncertifiedMass);
        }
        if event.gain.is_some() {
            put(&mut mass, 1, Slot::Gain);
        }
        let mut zeros = vec![mass];
        if event.kind.balances_pieces() {
            (0..outs).for_each(|place| put(&mut pieces, -1, Slot::OutputPieces(place)));
            if event.scrap.is_some() {
                put(&mut pieces, -1, Slot::ScrapPieces);
            }
            if event.uncertified.is_some() {
                put(&mut pieces, 1, Slot::UncertifiedPieces);
            }
            zeros.push(pieces);
        }
        ranges.extend(self.shares());
        Statements { ranges, zeros }
    }

    /// Of a blend, in which everything is mixed, `permille × (inputs + uncertified) − 1000 × uncertified` is not negative; of
    /// others, where what is lost may all have been certified, `permille × outputs − 1000 × uncertified`. Of what a weighing
    /// found more, `permille × (outputs − gain) − 1000 × gain`.
    fn shares(&self) -> Vec<Sum> {
        let (ins, outs) = (self.event.inputs.len(), self.event.outputs.len());
        let of_outputs = |permille: u32| -> Sum {
            (0..outs).map(|place| (i128::from(permille), Slot::OutputMass(place))).collect()
        };
        let mut shares = Vec::new();
        if let Some(added) = &self.event.uncertified {
            let permille = i128::from(added.permille);
            let mut sum = if self.event.kind == Kind::Blend {
                let mut sum: Sum =
                    (0..ins).map(|place| (permille, Slot::InputMass(place))).collect();
                sum.push((permille, Slot::UncertifiedMass));
                sum
            } else {
                of_outputs(added.permille)
            };
            sum.push((-1_000, Slot::UncertifiedMass));
            shares.push(sum);
        }
        if let Some(gain) = &self.event.gain {
            let mut sum = of_outputs(gain.permille);
            let factor = i128::from(gain.permille).saturating_add(1_000);
            sum.push((factor.saturating_neg(), Slot::Gain));
            shares.push(sum);
        }
        shares
    }
}
