//! From a plan to an event with its proofs, and to the transaction that carries it. Computes for long.

mod assembly;
mod describing;
mod drafts;
mod numbering;
mod quantities;

pub use describing::process_fields;
pub(crate) use describing::product_of;
use drafts::{Draft, Used, Work};
pub(super) use numbering::grow;

use super::plan::EventPlan;
use crate::capture::{Happening, Seen};
use crate::keys::{LOT_SEALS, ORIGIN_SEALS};
use crate::submission::Signed;
use crate::{Desk, DeskError};
use describing::Describer;
use ed25519_dalek::SigningKey;
use heatmark_ledger::{LeafIndex, messages as pb, transaction};
use heatmark_lots::{
    CertifiedMass, Event, Input, Kind, LotError, MASS_PATH, Making, OpenLot, Proofs,
    THEORETICAL_MASS_PATH, Terms, Witness, mass_committed_to,
};
use heatmark_records::{Decimal, FieldProof, Opening, Path, RecordId, RecordTree, Said};
use heatmark_vault::{Beside, LotEventRow, LotRow, NewLot, NewSerialTree, VaultError};
use prost::Message as _;

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

/// What is kept with an event in the same write.
pub(crate) struct Kept {
    lots: Vec<NewLot>,
    beside: Beside,
    tree: Option<NewSerialTree>,
}

/// An event on its way into the vault, or just put there.
pub(crate) struct Made<L = ()> {
    pub(crate) signed: Signed,
    pub(crate) row: LotEventRow,
    pub(super) lots: L,
}

impl Desk {
    /// Keeps an event and the lots that it makes, and reserves those that it uses.
    pub(crate) fn keep_event(&self, made: Made<Kept>) -> Result<Made, DeskError> {
        let Kept { lots, beside, tree } = &made.lots;
        if let Some(tree) = tree {
            self.parts.vault.put_serials(tree)?;
        }
        self.parts.vault.put_event_with(&self.actor, &made.row, lots, beside)?;
        Ok(Made { signed: made.signed, row: made.row, lots: () })
    }

    /// Makes an event with the transaction that is to carry it.
    pub(crate) fn make_event(&self, plan: &EventPlan) -> Result<Made<Kept>, DeskError> {
        let certified = plan.certificate.map(|record| self.certified(record)).transpose()?;
        let inputs = self.used(plan)?;
        let rows: Vec<LotRow> = inputs.iter().map(|input| input.row.clone()).collect();
        let mut event = Event::new(plan.kind, rand::random(), places(&rows)?, Vec::new());
        event.origin = plan.certificate;
        event.reason.clone_from(&plan.reason);
        (event.from_ms, event.until_ms) = plan.time_ms;
        let network = *self.parts.intake.network().as_bytes();
        let records = plan.outputs.len().saturating_add(1);
        let describer = Describer::new(self, records);
        let beside = Beside::default();
        let mut work = Work { plan, inputs: &inputs, event, beside, describer, network };
        let mut drafts = self.drafts(&mut work)?;
        let tree = self.number(&mut work, &mut drafts)?;
        let process = work.describer.process(&plan.process)?;
        let (captured, waivers) = self.captured(&happening(&work, &drafts))?;
        let Work { mut event, mut beside, .. } = work;
        event.process = process.as_ref().map(Opening::check).transpose()?;
        beside.process = process.as_ref().map(Opening::encode);
        (beside.captured, beside.waivers) = (captured, waivers);
        let opened = inputs.iter().map(|input| input.open.clone()).collect();
        let mut witness = Witness { inputs: opened, ..Witness::default() };
        let lots = self.sealed(drafts, &mut witness)?;
        let product = inputs.first().map(|input| product_of(&input.description));
        let permille =
            self.weighing_permille(&product.unwrap_or_default(), plan.tolerance_permille);
        quantities::fill(plan, permille, &mut witness)?;
        witness.certified =
            certified.as_ref().map(|certified| (certified.number, certified.blinding.clone()));
        witness.describe(&mut event);
        let making = Making {
            network: &network,
            event: &event,
            witness: &witness,
            certified: certified.as_ref().map(|certified| &certified.mass),
        };
        let proofs = making.prove(&mut rand::rng())?;
        let expires = earliest(&witness.inputs, self.now().0);
        let seals = self.seals(certified.as_ref(), &rows);
        let (signed, row) = self.row((&event, expires), &proofs, &seals, &rows)?;
        Ok(Made { signed, row, lots: Kept { lots, beside, tree } })
    }

    /// The lots that go in, of which none is there to be used in vain.
    fn used(&self, plan: &EventPlan) -> Result<Vec<Used>, DeskError> {
        if plan.kind == Kind::Transfer {
            return Err(DeskError::LotKind);
        }
        let mut inputs = Vec::with_capacity(plan.inputs.len());
        for row in lots_named(self, &plan.inputs)? {
            inputs.push(Used::read(row)?);
        }
        let now = self.now().0;
        let expired = |input: &&Used| (1..=now).contains(&input.open.lot().content.expires_ms);
        match inputs.iter().find(expired) {
            Some(input) if plan.reason.is_empty() => {
                Err(DeskError::LotExpired(input.row.name.clone()))
            }
            _ => Ok(inputs),
        }
    }

    /// Gives each lot that comes out a seal of its own.
    fn sealed(&self, drafts: Vec<Draft>, witness: &mut Witness) -> Result<Vec<NewLot>, DeskError> {
        let network = *self.parts.intake.network().as_bytes();
        let count = u64::try_from(drafts.len()).unwrap_or(u64::MAX);
        let first_seal = self.parts.vault.take_seal_indices(count)?;
        let mut new = Vec::with_capacity(drafts.len());
        for ((seal_index, output), draft) in (first_seal..).zip(0_u32..).zip(drafts) {
            let terms = Terms {
                class: draft.class,
                description: draft.description.check()?,
                serials: draft.serials,
                expires_ms: draft.expires_ms,
                seal: self.parts.seed.seals(LOT_SEALS).seal(seal_index),
            };
            let open = OpenLot::seal(draft.mass, draft.pieces, terms, &mut rand::rng());
            new.push(NewLot {
                hash: open.lot().hash(&network).0,
                name: draft.name,
                open: open.encode(),
                description: draft.description.encode(),
                seal_index,
                output,
            });
            witness.outputs.push(open);
        }
        Ok(new)
    }

    /// The transaction, and the event as the vault keeps it.
    fn row(
        &self,
        (event, expires_ms): (&Event, u64),
        proofs: &Proofs,
        seals: &[Seal],
        inputs: &[LotRow],
    ) -> Result<(Signed, LotEventRow), DeskError> {
        let network = self.parts.intake.network();
        let (signed, body) = self.carry(event, seals, expires_ms)?;
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
            origin: event.origin,
            leaf_index: None,
            at_ms: body.not_before_ms,
        };
        Ok((signed, row))
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

    /// The transaction that carries an event, which must not come to stand once what it uses expires; 0 for never.
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
        // What had expired before is used for a reason, which every capsule of it tells.
        if event.kind.uses_material() && expires_ms > self.tip().time.0 {
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

/// The earliest expiry of lots that is to come; 0 for none. What has expired is used for a
/// reason, and whoever is given what was made of it rejects that.
fn earliest(lots: &[OpenLot], now: u64) -> u64 {
    let expiries = lots.iter().map(|lot| lot.lot().content.expires_ms);
    expiries.filter(|expires| *expires > now).min().unwrap_or(0)
}

/// The event as the capture plan looks at it.
fn happening<'p>(work: &Work<'p>, drafts: &[Draft]) -> Happening<'p> {
    let typed = work.inputs.iter().zip(&work.plan.inputs);
    let inputs = typed.map(|(input, typed)| (input.row.name.clone(), typed.clone())).collect();
    let seen = |description: &Opening, expires_ms: u64, numbered: bool| Seen {
        product: product_of(description),
        has_expiry: expires_ms != 0,
        has_serials: numbered,
    };
    let made = drafts.iter().map(|draft| {
        let numbered = draft.serials.is_some() || draft.pieces.number == 0;
        seen(&draft.description, draft.expires_ms, numbered)
    });
    let used = work.inputs.iter().map(|input| {
        let content = &input.open.lot().content;
        seen(&input.description, content.expires_ms, content.serials.is_some())
    });
    let makes = !drafts.is_empty();
    let lots = if makes { made.collect() } else { used.collect() };
    Happening { plan: work.plan, inputs, lots, makes }
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
        lots.push(desk.lot_of_name(name)?);
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
