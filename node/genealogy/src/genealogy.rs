//! Events as steps from lots to lots, numbered densely as they come: lots and steps are u32, what a step takes stands
//! in one array, who uses a lot in another (`users`). Inputs whose event is not known yet wait for it.
//!
//! A step is an event, but for two kinds. What a container or a product gives back are the very lots that went in, so
//! that a heat that was in one component is in no other: taken apart, each output is of its own component, and what is
//! left of a product is a step of its own.

use std::collections::HashMap;
use std::ops::Range;

use heatmark_lots::Kind;
use thiserror::Error;

use crate::places::Places;
use crate::users::Users;

/// An input whose event is not known.
pub(crate) const UNKNOWN: u32 = u32::MAX;
/// Set in a step's kind when each of its outputs is of the input in its place.
const PAIRWISE: u8 = 0x80;

/// A lot here, numbered from 0 as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LotId(pub u32);

/// A member here, numbered from 0 as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIndex(pub u16);

/// A lot as all companies name it: the leaf of the event that made it and its place among that event's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The leaf.
    pub leaf: u64,
    /// The place among the outputs, from 0.
    pub output: u32,
}

/// An event that stands on the log.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Its leaf.
    pub leaf: u64,
    /// Its kind.
    pub kind: Kind,
    /// What went in, in order.
    pub inputs: &'a [Place],
    /// How many lots came out.
    pub outputs: u32,
    /// The member that carried it.
    pub carrier: [u8; 32],
    /// Of a removal, the places of the components removed; else empty.
    pub removed: &'a [u8],
}

/// What a lot is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeOf {
    /// The kind of event that made it.
    pub kind: Kind,
    /// The member that carried that event.
    pub carrier: MemberIndex,
    /// How many of its inputs are not known here.
    pub missing: u32,
}

/// Why an event is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GenealogyError {
    /// More lots, inputs or members than can be numbered. Nothing more can be taken; what is here stays right.
    #[error("more lots or members than can be numbered")]
    Full,
    /// It uses what is not made before it. On the log there is no such event: what was stored is damaged.
    #[error("an event uses what is not made before it")]
    Order,
}

/// The graph.
#[derive(Debug, Default)]
pub struct Genealogy {
    /// By lot, the step that made it.
    step_of: Vec<u32>,
    /// By step, its first lot; that of the next ends it.
    first_lot: Vec<u32>,
    /// By step, where its inputs begin; those of the next end it.
    inputs_at: Vec<u32>,
    /// Lots, or `UNKNOWN`.
    inputs: Vec<u32>,
    /// By step, its kind's number and `PAIRWISE`.
    kinds: Vec<u8>,
    /// By step.
    carriers: Vec<u16>,
    users: Users,
    places: Places,
    members: Vec<[u8; 32]>,
    member_of: HashMap<[u8; 32], u16>,
    /// Places among `inputs` that wait for a lot.
    waiting: HashMap<Place, Vec<u32>>,
}

impl Genealogy {
    /// One with room for so many lots and inputs.
    #[must_use]
    pub fn with_capacity(lots: usize, inputs: usize) -> Self {
        Self {
            step_of: Vec::with_capacity(lots),
            first_lot: Vec::with_capacity(lots),
            inputs_at: Vec::with_capacity(lots),
            inputs: Vec::with_capacity(inputs),
            kinds: Vec::with_capacity(lots),
            carriers: Vec::with_capacity(lots),
            places: Places::with_capacity(lots),
            ..Self::default()
        }
    }

    /// Takes an event; gives false, and changes nothing, where it is known.
    ///
    /// # Errors
    /// See [`GenealogyError`]; nothing changed then.
    pub fn add(&mut self, event: &NewEvent<'_>) -> Result<bool, GenealogyError> {
        if self.places.find(event.leaf).is_some() {
            return Ok(false);
        }
        if event.inputs.iter().any(|input| input.leaf >= event.leaf) {
            return Err(GenealogyError::Order);
        }
        let first = as_u32(self.step_of.len())?;
        let inputs = as_u32(self.inputs.len())?;
        // Taken apart, an event may have as many inputs as its components had, twice at most.
        let room = first.checked_add(event.outputs).is_some_and(|lots| lots < UNKNOWN)
            && inputs.checked_add(1 << 16).is_some();
        if !room {
            return Err(GenealogyError::Full);
        }
        let carrier = self.member(event.carrier)?;
        self.places.insert(event.leaf, first, event.outputs);
        self.steps(event, carrier);
        for output in 0..event.outputs {
            let place = Place { leaf: event.leaf, output };
            let lot = first.saturating_add(output);
            for slot in self.waiting.remove(&place).unwrap_or_default() {
                self.resolve(slot, lot);
            }
        }
        Ok(true)
    }

    fn steps(&mut self, event: &NewEvent<'_>, carrier: u16) {
        let known: Vec<u32> = event.inputs.iter().map(|place| self.id(*place)).collect();
        let components = match (event.kind, known.first()) {
            (Kind::Disaggregate | Kind::Remove, Some(whole)) => self.components(*whole),
            _ => None,
        };
        // While one of them is not known, all that comes out is of the whole: rather too much than too little.
        let components = components.filter(|all| !all.contains(&UNKNOWN));
        let apart = components.and_then(|all| match event.kind {
            Kind::Disaggregate => (all.len() == width(event.outputs)).then_some((all, Vec::new())),
            _ => parted(all, event),
        });
        let Some((taken, left)) = apart else {
            let first_slot = self.inputs.len();
            self.step(event.kind, (known, event.outputs), event.kind.is_pairwise(), carrier);
            for (place, slot) in event.inputs.iter().zip(first_slot..) {
                if self.inputs.get(slot) == Some(&UNKNOWN) {
                    let slot = u32::try_from(slot).unwrap_or(UNKNOWN);
                    self.waiting.entry(*place).or_default().push(slot);
                }
            }
            return;
        };
        let outputs = u32::try_from(taken.len()).unwrap_or(UNKNOWN);
        self.step(event.kind, (taken, outputs), true, carrier);
        if event.outputs > outputs {
            self.step(event.kind, (left, event.outputs.saturating_sub(outputs)), false, carrier);
        }
    }

    fn step(
        &mut self,
        kind: Kind,
        (inputs, outputs): (Vec<u32>, u32),
        pairwise: bool,
        carrier: u16,
    ) {
        let step = u32::try_from(self.kinds.len()).unwrap_or(UNKNOWN);
        let first = u32::try_from(self.step_of.len()).unwrap_or(UNKNOWN);
        self.first_lot.push(first);
        self.inputs_at.push(u32::try_from(self.inputs.len()).unwrap_or(UNKNOWN));
        self.step_of.resize(self.step_of.len().saturating_add(width(outputs)), step);
        for input in &inputs {
            self.users.add(*input, step);
        }
        self.inputs.extend(inputs);
        let code = u8::try_from(kind.code()).unwrap_or(0);
        self.kinds.push(if pairwise { code | PAIRWISE } else { code });
        self.carriers.push(carrier);
        if self.users.is_ragged() {
            self.compact();
        }
    }

    /// Puts who uses what into one array again: quick for walks, and worth it once much was added.
    pub fn compact(&mut self) {
        let steps = 0..u32::try_from(self.kinds.len()).unwrap_or(UNKNOWN);
        let (inputs_at, inputs) = (&self.inputs_at, &self.inputs);
        let uses = || {
            steps.clone().flat_map(|step| {
                let of = inputs.get(bounds(inputs_at, step, inputs.len())).unwrap_or_default();
                of.iter().map(move |lot| (*lot, step))
            })
        };
        self.users.compact(self.step_of.len(), uses);
    }

    fn resolve(&mut self, slot: u32, lot: u32) {
        if let Some(input) = self.inputs.get_mut(width(slot)) {
            *input = lot;
            let step = self.inputs_at.partition_point(|at| *at <= slot).saturating_sub(1);
            self.users.add(lot, u32::try_from(step).unwrap_or(UNKNOWN));
        }
    }

    /// What went into a container or a product, in order, followed through all that leaves it as it is.
    fn components(&self, whole: u32) -> Option<Vec<u32>> {
        let mut lot = whole;
        loop {
            let step = *self.step_of.get(width(lot))?;
            let inputs = self.step_inputs(step);
            match self.kind(step)? {
                Kind::Aggregate | Kind::Install => return Some(inputs.to_vec()),
                Kind::Remove if !self.is_pairwise(step) => return Some(inputs.to_vec()),
                kind if kind.is_pairwise() => lot = *inputs.get(self.place_in(step, lot))?,
                _ => return None,
            }
        }
    }

    fn member(&mut self, id: [u8; 32]) -> Result<u16, GenealogyError> {
        if let Some(index) = self.member_of.get(&id) {
            return Ok(*index);
        }
        let index = u16::try_from(self.members.len()).map_err(|_| GenealogyError::Full)?;
        self.members.push(id);
        self.member_of.insert(id, index);
        Ok(index)
    }

    /// Numbers a member that carried nothing yet: a customer.
    ///
    /// # Errors
    /// `Full`.
    pub fn number_member(&mut self, id: [u8; 32]) -> Result<MemberIndex, GenealogyError> {
        self.member(id).map(MemberIndex)
    }

    /// A lot by its place.
    #[must_use]
    pub fn find(&self, place: Place) -> Option<LotId> {
        Some(self.id(place)).filter(|id| *id != UNKNOWN).map(LotId)
    }

    fn id(&self, place: Place) -> u32 {
        match self.places.find(place.leaf) {
            Some((first, outputs)) if place.output < outputs => first.saturating_add(place.output),
            _ => UNKNOWN,
        }
    }

    /// Where a lot was made.
    #[must_use]
    pub fn place(&self, lot: LotId) -> Option<Place> {
        self.step_of.get(width(lot.0))?;
        let (leaf, first) = self.places.of_lot(lot.0)?;
        Some(Place { leaf, output: lot.0.saturating_sub(first) })
    }

    /// What a lot is made of.
    #[must_use]
    pub fn made_of(&self, lot: LotId) -> Option<MadeOf> {
        let step = *self.step_of.get(width(lot.0))?;
        let carrier = MemberIndex(*self.carriers.get(width(step))?);
        let missing = self.parents(lot).filter(|parent| parent.is_none()).count();
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        Some(MadeOf { kind: self.kind(step)?, carrier, missing })
    }

    /// The lots that a lot is made of, in order; none in place of one that is not known here.
    pub fn parents(&self, lot: LotId) -> impl Iterator<Item = Option<LotId>> {
        let step = self.step_of.get(width(lot.0)).copied().unwrap_or(UNKNOWN);
        let inputs = self.inputs_of(step, lot.0).iter();
        inputs.map(|input| Some(*input).filter(|input| *input != UNKNOWN).map(LotId))
    }

    /// The lots that are made of a lot.
    pub fn children(&self, lot: LotId) -> impl Iterator<Item = LotId> {
        self.users_of(lot.0).flat_map(move |step| self.outputs_of(step, lot.0)).map(LotId)
    }

    /// The lots that an event made; none where it is not known.
    pub fn lots_at(&self, leaf: u64) -> impl Iterator<Item = LotId> + use<> {
        let (first, outputs) = self.places.find(leaf).unwrap_or_default();
        (first..first.saturating_add(outputs)).map(LotId)
    }

    /// The lots of all events that a member carried.
    pub fn carried_by(&self, member: MemberIndex) -> impl Iterator<Item = LotId> {
        let steps = self.carriers.iter().zip(0_u32..).filter(move |(at, _)| **at == member.0);
        steps.flat_map(|(_, step)| self.step_lots(step)).map(LotId)
    }

    /// The number of a member.
    #[must_use]
    pub fn member_index(&self, id: &[u8; 32]) -> Option<MemberIndex> {
        self.member_of.get(id).copied().map(MemberIndex)
    }

    /// A member by its number.
    #[must_use]
    pub fn member_id(&self, member: MemberIndex) -> Option<[u8; 32]> {
        self.members.get(usize::from(member.0)).copied()
    }

    /// The member that carried the event that made a lot.
    #[must_use]
    pub fn carrier(&self, lot: LotId) -> Option<MemberIndex> {
        let step = *self.step_of.get(width(lot.0))?;
        self.carriers.get(width(step)).copied().map(MemberIndex)
    }

    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// How many lots there are.
    #[must_use]
    pub fn lots(&self) -> usize {
        self.step_of.len()
    }

    /// How many inputs there are, of all events together.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// Inputs whose events are not known here.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.waiting.values().map(Vec::len).fold(0, usize::saturating_add)
    }

    /// Bytes that its arrays have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words = [&self.step_of, &self.first_lot, &self.inputs_at, &self.inputs];
        let words = words.map(Vec::capacity).into_iter().fold(0, usize::saturating_add);
        let small =
            self.carriers.capacity().saturating_mul(2).saturating_add(self.kinds.capacity());
        let parts = [words.saturating_mul(4), small, self.users.bytes(), self.places.bytes()];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    pub(crate) fn steps_len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn step_of(&self, lot: u32) -> Option<u32> {
        self.step_of.get(width(lot)).copied()
    }

    pub(crate) fn is_pairwise(&self, step: u32) -> bool {
        self.kinds.get(width(step)).is_some_and(|kind| kind & PAIRWISE != 0)
    }

    pub(crate) fn step_lots(&self, step: u32) -> Range<u32> {
        let range = bounds(&self.first_lot, step, self.step_of.len());
        u32::try_from(range.start).unwrap_or(UNKNOWN)..u32::try_from(range.end).unwrap_or(UNKNOWN)
    }

    pub(crate) fn step_inputs(&self, step: u32) -> &[u32] {
        self.inputs.get(bounds(&self.inputs_at, step, self.inputs.len())).unwrap_or_default()
    }

    pub(crate) fn users_of(&self, lot: u32) -> impl Iterator<Item = u32> {
        self.users.of(lot)
    }

    /// What one lot of a step is made of.
    pub(crate) fn inputs_of(&self, step: u32, lot: u32) -> &[u32] {
        let inputs = self.step_inputs(step);
        if !self.is_pairwise(step) {
            return inputs;
        }
        let place = self.place_in(step, lot);
        inputs.get(place..place.saturating_add(1)).unwrap_or_default()
    }

    /// What a step makes of one of its inputs.
    pub(crate) fn outputs_of(&self, step: u32, lot: u32) -> Range<u32> {
        let lots = self.step_lots(step);
        if !self.is_pairwise(step) {
            return lots;
        }
        match self.step_inputs(step).iter().position(|input| *input == lot) {
            Some(place) => {
                let made = lots.start.saturating_add(u32::try_from(place).unwrap_or(UNKNOWN));
                made..made.saturating_add(1).min(lots.end)
            }
            None => 0..0,
        }
    }

    fn place_in(&self, step: u32, lot: u32) -> usize {
        width(lot.saturating_sub(self.step_lots(step).start))
    }

    fn kind(&self, step: u32) -> Option<Kind> {
        Kind::from_code(u32::from(self.kinds.get(width(step))? & !PAIRWISE)).ok()
    }
}

/// The components removed, and those left.
fn parted(all: Vec<u32>, event: &NewEvent<'_>) -> Option<(Vec<u32>, Vec<u32>)> {
    let taken: Option<Vec<u32>> =
        event.removed.iter().map(|place| all.get(usize::from(*place)).copied()).collect();
    let taken = taken.filter(|taken| taken.len().checked_add(1) == Some(width(event.outputs)))?;
    let kept = all.iter().enumerate();
    let kept =
        kept.filter(|(place, _)| !event.removed.iter().any(|out| usize::from(*out) == *place));
    let left = kept.map(|(_, lot)| *lot).collect();
    Some((taken, left))
}

fn bounds(starts: &[u32], step: u32, end: usize) -> Range<usize> {
    let step = width(step);
    match starts.get(step) {
        Some(start) => {
            let next = step.checked_add(1).and_then(|next| starts.get(next));
            width(*start)..next.map_or(end, |next| width(*next))
        }
        None => 0..0,
    }
}

/// A number of ours as a place in an array: never more than 32 bits, which every machine that runs this has.
pub(crate) const fn width(number: u32) -> usize {
    number as usize
}

fn as_u32(number: usize) -> Result<u32, GenealogyError> {
    u32::try_from(number).ok().filter(|number| *number < UNKNOWN).ok_or(GenealogyError::Full)
}
