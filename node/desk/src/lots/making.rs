//! From a plan to an event with its proofs, and to the transaction that carries it. Computes for long.

use crate::keys::{LOT_SEALS, ORIGIN_SEALS, alert_signing_key};
use crate::submission::Signed;
use crate::{Desk, DeskError};
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::{LeafIndex, messages as pb, transaction};
use heatmark_lots::{
    CertifiedMass, Event, Input, Kind, LotError, MASS_PATH, Making, OpenAmount, OpenLot,
    THEORETICAL_MASS_PATH, Terms, Witness, certified_class, mass_committed_to, uncertified_class,
};
use heatmark_records::{
    Decimal, FieldProof, Fields, Heading, Opening, Path, RecordId, RecordTree, Said, Secret, Value,
};
use heatmark_vault::{LotEventRow, LotRow, NewLot, VaultError};
use prost::Message as _;

/// The form of a lot's description.
const FORM: &str = "Heatmark lot 1";
const NAME: &str = "lot/name";
const PRODUCT: &str = "product/name";

/// A lot that is to be.
#[derive(Debug, Clone, Default)]
pub struct LotPlan {
    /// Its name, of no other lot here.
    pub name: String,
    /// What it is; empty for what its input is.
    pub product: String,
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces.
    pub pieces: u64,
    /// From when on it must not be used, in milliseconds since 1970; 0 for never, or as its inputs.
    pub expires_ms: u64,
}

/// What is to happen.
#[derive(Debug, Clone)]
pub struct EventPlan {
    /// The kind: commission, transform, rework, split, merge, correct or dispose.
    pub kind: Kind,
    /// The lots that are used, by name.
    pub inputs: Vec<String>,
    /// The lots that come to be.
    pub outputs: Vec<LotPlan>,
    /// Milligrams that are lost.
    pub scrap_mg: u64,
    /// Pieces that are lost, where pieces balance.
    pub scrap_pieces: u64,
    /// The certificate that a commission is of; none for material without one.
    pub certificate: Option<RecordId>,
    /// Why, where the kind asks for it.
    pub reason: String,
    /// When it began and ended, in milliseconds since 1970; 0 where it is not told.
    pub time_ms: (u64, u64),
}

/// What a commission is of.
pub(super) struct Certified {
    mass: CertifiedMass,
    number: i128,
    blinding: heatmark_records::Blinding,
    seal_index: u64,
}

/// What breaks a seal.
pub(super) struct Seal {
    key: SigningKey,
    blind: [u8; 32],
}

/// An event on its way into the vault, or just put there.
pub(crate) struct Made<L = ()> {
    pub(crate) signed: Signed,
    pub(crate) row: LotEventRow,
    pub(super) lots: L,
}

impl Desk {
    /// Keeps an event and the lots that it makes, and reserves those that it uses.
    pub(crate) fn keep_event(&self, made: Made<Vec<NewLot>>) -> Result<Made, DeskError> {
        self.parts.vault.put_event(&self.actor, &made.row, &made.lots)?;
        Ok(Made { signed: made.signed, row: made.row, lots: () })
    }

    /// Makes an event with the transaction that is to carry it.
    pub(crate) fn make_event(&self, plan: &EventPlan) -> Result<Made<Vec<NewLot>>, DeskError> {
        check_kind(plan)?;
        let certified = plan.certificate.map(|record| self.certified(record)).transpose()?;
        let inputs = lots_named(self, &plan.inputs)?;
        let mut event = Event::new(plan.kind, rand::random(), places(&inputs)?, Vec::new());
        event.origin = plan.certificate;
        event.reason.clone_from(&plan.reason);
        (event.from_ms, event.until_ms) = plan.time_ms;
        let mut witness = Witness::default();
        for input in &inputs {
            witness.inputs.push(OpenLot::decode(&input.open).map_err(|_| VaultError::Damaged)?);
        }
        let new = self.outputs(plan, &event, &inputs, &mut witness)?;
        if plan.scrap_mg != 0 || plan.scrap_pieces != 0 || plan.kind == Kind::Correct {
            let pieces = counts_pieces(plan.kind)
                .then(|| OpenAmount::fresh(plan.scrap_pieces, &mut rand::rng()));
            witness.scrap = Some((OpenAmount::fresh(plan.scrap_mg, &mut rand::rng()), pieces));
        }
        witness.certified =
            certified.as_ref().map(|certified| (certified.number, certified.blinding.clone()));
        witness.describe(&mut event);
        let network = self.parts.intake.network();
        let making = Making {
            network: network.as_bytes(),
            event: &event,
            witness: &witness,
            certified: certified.as_ref().map(|certified| &certified.mass),
        };
        let proofs = making.prove(&mut rand::rng())?;
        let seals = self.seals(certified.as_ref(), &inputs);
        let (signed, body) = self.carry(&event, &seals, earliest(&witness.inputs))?;
        let row = LotEventRow {
            digest: event.digest(network.as_bytes()).0,
            kind: event.kind.code(),
            event: event.encode(),
            proofs: proofs.encode(),
            blinds: seals.iter().map(|seal| seal.blind).collect(),
            transaction_id: *signed.id.as_bytes(),
            envelope: signed.envelope.to_vec(),
            inputs: inputs.iter().map(|lot| lot.hash).collect(),
            outputs: event.output_hashes(network.as_bytes()).iter().map(|hash| hash.0).collect(),
            origin: plan.certificate,
            leaf_index: None,
            at_ms: body.not_before_ms,
        };
        Ok(Made { signed, row, lots: new })
    }

    /// The lots that come to be, with a seal and a description each.
    fn outputs(
        &self,
        plan: &EventPlan,
        event: &Event,
        inputs: &[LotRow],
        witness: &mut Witness,
    ) -> Result<Vec<NewLot>, DeskError> {
        let network = *self.parts.intake.network().as_bytes();
        let class = match (&plan.certificate, witness.inputs.first()) {
            (Some(record), _) => certified_class(&network, record),
            (None, Some(lot)) => lot.lot().content.class,
            (None, None) => uncertified_class(&network, &event.salt),
        };
        let earliest = earliest(&witness.inputs);
        let count = u64::try_from(plan.outputs.len()).unwrap_or(u64::MAX);
        let first_seal = self.parts.vault.take_seal_indices(count)?;
        let mut new = Vec::with_capacity(plan.outputs.len());
        for ((seal_index, output), lot) in (first_seal..).zip(0_u32..).zip(&plan.outputs) {
            let description = match inputs.first().filter(|_| keeps_description(plan.kind)) {
                Some(input) => Opening::decode(&input.description)?,
                None => self.description(lot, inputs.first())?,
            };
            let terms = Terms {
                class,
                description: description.check()?,
                serials: None,
                expires_ms: if lot.expires_ms == 0 { earliest } else { lot.expires_ms },
                seal: self.parts.seed.seals(LOT_SEALS).seal(seal_index),
            };
            let open = OpenLot::fresh(lot.mass_mg, lot.pieces, terms, &mut rand::rng());
            new.push(NewLot {
                hash: open.lot().hash(&network).0,
                name: lot.name.clone(),
                open: open.encode(),
                description: description.encode(),
                seal_index,
                output,
            });
            witness.outputs.push(open);
        }
        Ok(new)
    }

    /// A record of what a lot is.
    fn description(&self, lot: &LotPlan, input: Option<&LotRow>) -> Result<Opening, DeskError> {
        let product = match input {
            Some(input) if lot.product.is_empty() => {
                product_of(&Opening::decode(&input.description)?)
            }
            _ => lot.product.clone(),
        };
        let alert_index = self.parts.vault.next_alert_index()?;
        let key = PublicKey::of(&alert_signing_key(&self.parts.seed, alert_index));
        let heading = Heading {
            network: *self.parts.intake.network().as_bytes(),
            form: FORM.to_owned(),
            issuer: *self.parts.member.as_bytes(),
            alert_subject: *key.alert_subject().as_bytes(),
            origin_seal: None,
        };
        let mut fields = Fields::new();
        for (path, text) in [(NAME, &lot.name), (PRODUCT, &product)] {
            if !text.is_empty() {
                fields.insert(Path::new(path)?, Value::Text(text.clone()))?;
            }
        }
        Ok(Opening::seal(heading, fields, Secret::new(rand::random()))?)
    }

    fn certified(&self, record: RecordId) -> Result<Certified, DeskError> {
        let stored = self.parts.vault.record(&record)?.ok_or(DeskError::UnknownRecord(record))?;
        if stored.row.placement.is_none() {
            return Err(DeskError::NotAnchored(record));
        }
        if stored.opening.head().heading().origin_seal.is_none() {
            return Err(DeskError::CommissionsNothing(record));
        }
        let tree = stored.opening.tree()?;
        let actual = show(&tree, MASS_PATH)?;
        let theoretical = show(&tree, THEORETICAL_MASS_PATH)?;
        // A receiver must be shown that there is no other mass than the calculated one.
        if actual.is_none() && theoretical.is_some() {
            return Err(DeskError::MassHidden(record));
        }
        let missing = |_: LotError| DeskError::CommissionsNothing(record);
        let said = actual.as_ref().map_or(&Said::Absent, |proof| &proof.said);
        let mass = mass_committed_to(said, theoretical.as_ref().map(|proof| &proof.said));
        let mass = mass.map_err(missing)?;
        let shown = if mass.theoretical { theoretical } else { actual };
        let Some(Said::Shown { value, blindings }) = shown.map(|proof| proof.said) else {
            return Err(DeskError::CommissionsNothing(record));
        };
        match (value.numbers().as_slice(), blindings.as_slice()) {
            ([number], [blinding]) => Ok(Certified {
                mass,
                number: Decimal::mantissa(number),
                blinding: blinding.clone(),
                seal_index: stored.row.alert_index,
            }),
            _ => Err(DeskError::CommissionsNothing(record)),
        }
    }

    pub(super) fn seals(&self, certified: Option<&Certified>, inputs: &[LotRow]) -> Vec<Seal> {
        let seal = |what, index| {
            let seals = self.parts.seed.seals(what);
            Seal { key: seals.key(index), blind: seals.blind(index) }
        };
        let origin = certified.map(|certified| seal(ORIGIN_SEALS, certified.seal_index));
        let lots = inputs.iter().map(|lot| seal(LOT_SEALS, lot.seal_index));
        origin.into_iter().chain(lots).collect()
    }

    /// The transaction that carries an event, which must not come to stand once what it uses has expired; 0 for never.
    pub(super) fn carry(
        &self,
        event: &Event,
        seals: &[Seal],
        expires_ms: u64,
    ) -> Result<(Signed, pb::Body), DeskError> {
        let network = self.parts.intake.network();
        let outputs = event.output_hashes(network.as_bytes());
        let payload = pb::LotEvent {
            digest: event.digest(network.as_bytes()).0.to_vec(),
            outputs: outputs.iter().map(|hash| hash.0.to_vec()).collect(),
            carrier: self.parts.member.to_vec(),
        };
        let mut body = self.body(pb::body::Payload::LotEvent(payload))?;
        if event.kind.uses_material() && expires_ms != 0 {
            body.not_after_ms = body.not_after_ms.min(expires_ms);
        }
        let bytes = body.encode_to_vec();
        let mut cosignatures = Vec::with_capacity(seals.len());
        for seal in seals {
            let purpose = pb::CoSigner::Seal;
            cosignatures.push(transaction::cosign(&network, purpose, &seal.key, &bytes)?);
        }
        Ok((self.sign(&body, cosignatures), body))
    }
}

/// The earliest expiry of lots; 0 for none.
fn earliest(lots: &[OpenLot]) -> u64 {
    let expiries = lots.iter().map(|lot| lot.lot().content.expires_ms);
    expiries.filter(|expires| *expires != 0).min().unwrap_or(0)
}

/// What a lot's description says it is.
pub(crate) fn product_of(description: &Opening) -> String {
    let path = Path::new(PRODUCT).ok();
    match path.and_then(|path| description.fields().get(&path).cloned()) {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    }
}

fn show(tree: &RecordTree<'_>, path: &str) -> Result<Option<FieldProof>, DeskError> {
    match tree.show(&Path::new(path)?) {
        Ok(proof) => Ok(Some(proof)),
        // Not there, though that cannot be shown.
        Err(heatmark_records::RecordError::SlotTaken) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The lots of these names.
pub(super) fn lots_named(desk: &Desk, names: &[String]) -> Result<Vec<LotRow>, DeskError> {
    let mut lots = Vec::with_capacity(names.len());
    for name in names {
        lots.push(desk.parts.vault.lot_named(name)?.ok_or(VaultError::UnknownLot)?);
    }
    Ok(lots)
}

pub(super) fn places(inputs: &[LotRow]) -> Result<Vec<Input>, DeskError> {
    let mut places = Vec::with_capacity(inputs.len());
    for input in inputs {
        let leaf = input.leaf_index.ok_or_else(|| VaultError::LotNotThere(input.name.clone()))?;
        places.push(Input { leaf: LeafIndex(leaf), output: input.output });
    }
    Ok(places)
}

/// Whether the pieces that are lost are told.
const fn counts_pieces(kind: Kind) -> bool {
    matches!(kind, Kind::Rework | Kind::Adjust | Kind::Correct)
}

const fn keeps_description(kind: Kind) -> bool {
    matches!(kind, Kind::Split | Kind::Merge | Kind::Correct)
}

fn check_kind(plan: &EventPlan) -> Result<(), DeskError> {
    let known = matches!(
        plan.kind,
        Kind::Commission
            | Kind::Transform
            | Kind::Rework
            | Kind::Split
            | Kind::Merge
            | Kind::Correct
            | Kind::Dispose
    );
    if known { Ok(()) } else { Err(DeskError::LotKind) }
}
