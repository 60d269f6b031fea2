//! Lots and events as a receiver judges them: first every way to cheat, then that honest events of every kind verify.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod cheats;
mod encodings;
mod kinds;
mod serials;

use heatmark_merkle::{Hash, LeafIndex};
use heatmark_records::{
    Decimal, Fields, Heading, Measured, Opening, Path, Quantity, Relation, Secret, Value,
};

use crate::*;

pub(super) const NETWORK: [u8; 32] = [7; 32];

pub(super) fn hash(byte: u8) -> Hash {
    Hash([byte; 32])
}

pub(super) fn terms(class: Hash, seal: u8) -> Terms {
    Terms { class, description: hash(40), serials: None, expires_ms: 0, seal: hash(seal) }
}

pub(super) fn lot(mass_mg: u64, pieces: u64, seal: u8) -> OpenLot {
    OpenLot::fresh(mass_mg, pieces, terms(hash(1), seal), &mut rand::rng())
}

pub(super) fn amount(number: u64) -> OpenAmount {
    OpenAmount::fresh(number, &mut rand::rng())
}

/// An event in the making, and made.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) event: Event,
    pub(super) witness: Witness,
    pub(super) certified: Option<CertifiedMass>,
    pub(super) proofs: Proofs,
}

impl Case {
    pub(super) fn new(kind: Kind, inputs: Vec<OpenLot>, outputs: Vec<OpenLot>) -> Self {
        let names = (0..inputs.len()).map(|n| Input { leaf: LeafIndex(n as u64), output: 0 });
        let mut event = Event::new(kind, [9; 32], names.collect(), Vec::new());
        let witness = Witness { inputs, outputs, ..Witness::default() };
        witness.describe(&mut event);
        if matches!(kind, Kind::Adjust | Kind::Correct | Kind::Dispose) {
            event.reason = "weighed again".to_owned();
        }
        Self { event, witness, certified: None, proofs: Proofs::default() }
    }

    pub(super) fn scrap(mut self, mass: u64, pieces: Option<u64>) -> Self {
        self.witness.scrap = Some((amount(mass), pieces.map(amount)));
        self.witness.describe(&mut self.event);
        self
    }

    pub(super) fn uncertified(mut self, mass: u64, pieces: Option<u64>) -> Self {
        self.witness.uncertified = Some((amount(mass), pieces.map(amount)));
        self.witness.describe(&mut self.event);
        self
    }

    pub(super) fn gain(mut self, mass: u64) -> Self {
        self.witness.gain = Some(amount(mass));
        self.witness.describe(&mut self.event);
        self
    }

    pub(super) fn try_prove(&self) -> Result<Proofs, MakeError> {
        let certified = self.certified.as_ref();
        let (event, witness) = (&self.event, &self.witness);
        Making { network: &NETWORK, event, witness, certified }.prove(&mut rand::rng())
    }

    pub(super) fn prove(mut self) -> Self {
        self.proofs = self.try_prove().unwrap();
        self
    }

    pub(super) fn claim_on(&self, network: &[u8; 32]) -> Result<Claim, LotError> {
        let inputs: Vec<Option<&Lot>> = self.witness.inputs.iter().map(|l| Some(l.lot())).collect();
        let certified = self.certified.as_ref();
        Facts { network, event: &self.event, inputs: &inputs, certified }.claim()
    }

    /// What a receiver says.
    pub(super) fn verify(&self) -> Result<(), LotError> {
        self.verify_on(&NETWORK)
    }

    pub(super) fn verify_on(&self, network: &[u8; 32]) -> Result<(), LotError> {
        let event = Event::decode(&self.event.encode())?;
        assert_eq!(event, self.event);
        let proofs = Proofs::decode(&self.proofs.encode())?;
        verify_all(&[(&self.claim_on(network)?, &proofs)]).remove(0)
    }
}

/// 1,000 g and 10 pieces into 600 g and 6, 300 g and 3; 100 g and 1 piece lost.
pub(super) fn rework() -> Case {
    let outputs = vec![lot(600, 6, 11), lot(300, 3, 12)];
    Case::new(Kind::Rework, vec![lot(1_000, 10, 10)], outputs).scrap(100, Some(1)).prove()
}

/// What a certificate says of its mass, as a capsule shows it, and what opens it.
pub(super) fn certificate(
    text: &str,
    unit: &str,
) -> (CertifiedMass, i128, heatmark_records::Blinding) {
    let number = Decimal::parse(text).unwrap();
    let quantity = Quantity::Number(Relation::Equal, number);
    let mut fields = Fields::new();
    let path = Path::new(MASS_PATH).unwrap();
    let value = Value::Measured(Measured { unit: unit.into(), quantity });
    fields.insert(path.clone(), value).unwrap();
    let heading = Heading {
        network: NETWORK,
        form: "Heatmark 1".into(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: Some([4; 32]),
    };
    let opening = Opening::seal(heading, fields, Secret::new([5; 32])).unwrap();
    let tree = opening.tree().unwrap();
    let hidden = tree.show_committed(&path).unwrap();
    let heatmark_records::Said::Shown { blindings, .. } = tree.show(&path).unwrap().said else {
        panic!("a number is shown")
    };
    (mass_committed_to(&hidden.said, None).unwrap(), number.mantissa(), blindings[0].clone())
}

/// A commission of lots of these masses from a certificate.
pub(super) fn commission(mass: &str, unit: &str, lots: &[u64]) -> Case {
    let (certified, number, blinding) = certificate(mass, unit);
    let class = certified_class(&NETWORK, &hash(77));
    let outputs = lots
        .iter()
        .zip(20..)
        .map(|(mass, seal)| OpenLot::fresh(*mass, 1, terms(class, seal), &mut rand::rng()));
    let mut case = Case::new(Kind::Commission, Vec::new(), outputs.collect());
    case.event.origin = Some(hash(77));
    case.certified = Some(certified);
    case.witness.certified = Some((number, blinding));
    case
}
