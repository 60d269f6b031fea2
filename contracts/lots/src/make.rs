//! The maker's side of an event: its quantities in the clear, from which body and proofs are made. Refuses plans that a
//! receiver would refuse, with the reason, and hands nothing out that does not verify.

use heatmark_records::Blinding;
use rand_core::CryptoRng;
use std::slice;

use crate::event::{Amounts, Gain, Uncertified};
use crate::lot::{OpenAmount, OpenLot};
use crate::proofs::{Proofs, verify_all};
use crate::rules::Facts;
use crate::sums::{Known, Numbers, Slot};
use crate::{CertifiedMass, Event, Kind, Lot, MakeError};

/// The quantities of an event.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    /// The lots that go in, in the order of the event's inputs.
    pub inputs: Vec<OpenLot>,
    /// The lots that come out.
    pub outputs: Vec<OpenLot>,
    /// The mass that is lost, and the pieces where they balance.
    pub scrap: Option<(OpenAmount, Option<OpenAmount>)>,
    /// The mass that goes in without a certificate, and the pieces where they balance.
    pub uncertified: Option<(OpenAmount, Option<OpenAmount>)>,
    /// What a new weighing found more.
    pub gain: Option<OpenAmount>,
    /// The number of the certificate's mass field, in its own unit and scale, and what hides it.
    pub certified: Option<(i128, Blinding)>,
}

impl Witness {
    /// Puts the outputs and the committed quantities into an event. What is shown of uncertified material and of a gain is
    /// the least share, in thousandths, that can be proved.
    pub fn describe(&self, event: &mut Event) {
        let amounts = |(mass, pieces): &(OpenAmount, Option<OpenAmount>)| Amounts {
            mass: mass.amount(),
            pieces: pieces.as_ref().map(OpenAmount::amount),
        };
        let total = |lots: &[OpenLot]| {
            let masses = lots.iter().map(|lot| u128::from(lot.mass().number));
            masses.fold(0, u128::saturating_add)
        };
        let (inputs, outputs) = (total(&self.inputs), total(&self.outputs));
        event.outputs = self.outputs.iter().map(|lot| lot.lot().clone()).collect();
        event.scrap = self.scrap.as_ref().map(amounts);
        event.uncertified = self.uncertified.as_ref().map(|added| {
            let mass = u128::from(added.0.number);
            let mixed = event.kind == Kind::Blend;
            let whole = if mixed { inputs.saturating_add(mass) } else { outputs };
            Uncertified { amounts: amounts(added), permille: permille(mass, whole) }
        });
        event.gain = self.gain.as_ref().map(|gain| Gain {
            mass: gain.amount(),
            permille: permille(gain.number.into(), outputs.saturating_sub(gain.number.into())),
        });
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let mut numbers = Numbers::new();
        let mut put = |slot, amount: &OpenAmount| {
            let (number, blinding) = (i128::from(amount.number), *amount.blinding.scalar());
            numbers.insert(slot, Known { number, blinding });
        };
        for (place, lot) in self.inputs.iter().enumerate() {
            put(Slot::InputMass(place), lot.mass());
            put(Slot::InputPieces(place), lot.pieces());
        }
        for (place, lot) in self.outputs.iter().enumerate() {
            put(Slot::OutputMass(place), lot.mass());
            put(Slot::OutputPieces(place), lot.pieces());
        }
        let pairs = [
            (&self.scrap, Slot::ScrapMass, Slot::ScrapPieces),
            (&self.uncertified, Slot::UncertifiedMass, Slot::UncertifiedPieces),
        ];
        for (pair, mass_slot, pieces_slot) in pairs {
            let Some((mass, pieces)) = pair else { continue };
            put(mass_slot, mass);
            pieces.iter().for_each(|pieces| put(pieces_slot, pieces));
        }
        self.gain.iter().for_each(|gain| put(Slot::Gain, gain));
        if let Some((number, blinding)) = &self.certified {
            let known = Known { number: *number, blinding: *blinding.scalar() };
            numbers.insert(Slot::Certified, known);
        }
        numbers
    }
}

/// The least whole number of thousandths that `part` of `whole` does not exceed, 1 to 1,000.
fn permille(part: u128, whole: u128) -> u32 {
    let scaled = part.saturating_mul(1_000);
    let share = scaled.checked_add(whole.saturating_sub(1)).and_then(|sum| sum.checked_div(whole));
    share.and_then(|share| u32::try_from(share).ok()).unwrap_or(1_000).clamp(1, 1_000)
}

/// An event with everything that its proofs need.
#[derive(Debug)]
pub struct Making<'a> {
    /// The network's id.
    pub network: &'a [u8; 32],
    /// The event, described by the witness.
    pub event: &'a Event,
    /// Its quantities.
    pub witness: &'a Witness,
    /// The mass of the certificate that a commission names.
    pub certified: Option<&'a CertifiedMass>,
}

impl Making<'_> {
    /// Makes the proofs, and verifies them as a receiver will.
    ///
    /// # Errors
    /// [`MakeError`]; nothing may be posted then.
    pub fn prove(&self, rng: &mut impl CryptoRng) -> Result<Proofs, MakeError> {
        let witness = self.witness;
        let outputs = witness.outputs.iter().map(OpenLot::lot);
        if !outputs.eq(&self.event.outputs) {
            return Err(MakeError::Witness);
        }
        let inputs: Vec<Option<&Lot>> = witness.inputs.iter().map(|lot| Some(lot.lot())).collect();
        let (network, event, certified) = (self.network, self.event, self.certified);
        let claim = Facts { network, event, inputs: &inputs, certified }.claim()?;
        let mut serials = Vec::new();
        if claim.numbered() != 0 {
            let with_serials =
                witness.outputs.iter().filter(|lot| lot.lot().content.serials.is_some());
            serials = with_serials.map(OpenLot::pieces).collect();
        }
        let proofs = claim.prove(&witness.numbers(), &serials, rng)?;
        match verify_all(slice::from_ref(&(&claim, &proofs))).as_slice() {
            [Ok(())] => Ok(proofs),
            [Err(fault)] => Err(MakeError::Rule(*fault)),
            _ => Err(MakeError::Proof),
        }
    }
}
