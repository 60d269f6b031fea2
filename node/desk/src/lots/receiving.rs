//! Receiving lots: a parcel is checked against the log and the rules, kept with all that came with it, and posted. That is its
//! acceptance. Refuses parcels that are not for this member or use seals that it did not offer, and by itself those whose
//! evidence is rejected; what differs is told to the sender in a signed answer.

use super::docking::{Ground, faults, ground};
use super::offers::{ANSWER_NAME, member_in};
use super::{LotEventMade, Made};
use crate::{Desk, DeskError, blocking};
use heatmark_evidence::capsule::{Capsule, CapsuleRecord, Verdict};
use heatmark_evidence::transfer::{
    Answer, Count, DespatchAdvice, OpenAssembly, OpenComponent, OpenParcel, Parcel, SignedFile,
    TransferError,
};
use heatmark_ledger::ids::MemberId;
use heatmark_records::{FieldProof, Path, RecordId, Said, Value};
use heatmark_vault::{
    LotEventRow, NamedRecord, NewLot, ParcelRow, ParcelState, Part, Parts, Received, UpstreamEvent,
    UpstreamRecord, VaultError,
};
use prost::Message as _;
use std::collections::BTreeMap;

/// The field in which a record names another that it attests.
const ATTESTS: &str = "attests/record";

/// What a parcel holds and what its capsules prove.
#[derive(Debug)]
pub struct ParcelView {
    /// Digest of the transfer.
    pub transfer: [u8; 32],
    /// Who sends it.
    pub sender: MemberId,
    /// What comes, and how.
    pub advice: DespatchAdvice,
    /// Until when it can be posted.
    pub not_after_ms: u64,
    /// Its lots.
    pub lots: Vec<ParcelLotView>,
    /// What became of it, where it was received or refused before.
    pub state: Option<ParcelState>,
}

/// A lot of a parcel.
pub struct ParcelLotView {
    /// As its sender calls it.
    pub name: String,
    /// What it is.
    pub product: String,
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces.
    pub pieces: u64,
    /// From when on it must not be used.
    pub expires_ms: u64,
    /// What its capsule proves by itself.
    pub verdict: Verdict,
    /// The capsule.
    pub capsule: Vec<u8>,
}

impl std::fmt::Debug for ParcelLotView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParcelLotView").field("verdict", &self.verdict).finish_non_exhaustive()
    }
}

/// How a parcel is received.
#[derive(Debug, Clone, Default)]
pub struct Receive {
    /// The parcel's file.
    pub parcel: Vec<u8>,
    /// Names to give the lots here, in their order; empty for the sender's.
    pub names: Vec<String>,
    /// What was counted otherwise: place from 0, milligrams, pieces.
    pub counted: Vec<(u32, u64, u64)>,
    /// What to tell the sender of it; empty for nothing.
    pub discrepancy: String,
    /// Whether it is taken although its evidence is rejected.
    pub anyway: bool,
}

/// A parcel that is what it says.
struct Checked {
    file: Parcel,
    open: OpenParcel,
    sender: MemberId,
}

impl Desk {
    /// Tells what is in a parcel.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn read_parcel(&self, parcel: Vec<u8>) -> Result<ParcelView, DeskError> {
        let desk = self.clone();
        blocking(move || desk.view_parcel(&parcel)).await
    }

    fn view_parcel(&self, parcel: &[u8]) -> Result<ParcelView, DeskError> {
        let Checked { file, open, sender } = self.check_parcel(parcel)?;
        let known = self.parts.vault.parcel(&open.digest.0)?;
        let mut lots = Vec::with_capacity(open.parts.len());
        for (part, lot) in open.parts.iter().zip(&file.lots) {
            lots.push(ParcelLotView {
                name: part.name.clone(),
                product: super::making::product_of(&part.description),
                mass_mg: part.open.mass().number,
                pieces: part.open.pieces().number,
                expires_ms: part.open.lot().content.expires_ms,
                verdict: self.verdict(&lot.capsule, known.is_none())?,
                capsule: lot.capsule.clone(),
            });
        }
        Ok(ParcelView {
            transfer: open.digest.0,
            sender,
            advice: file.advice.unwrap_or_default(),
            not_after_ms: open.body.not_after_ms,
            lots,
            state: known.map(|known| known.state),
        })
    }

    fn check_parcel(&self, parcel: &[u8]) -> Result<Checked, DeskError> {
        let network = self.parts.intake.network();
        let file = self.proved(Parcel::read(parcel, &network)?)?;
        if file.addressee()? != self.parts.member {
            return Err(DeskError::NotForUs);
        }
        let (open, sender) = (file.open(&network)?, member_in(&file.sender)?);
        Ok(Checked { file, open, sender })
    }

    /// Receives a parcel: from when the log has it, its lots are this member's.
    ///
    /// # Errors
    /// See [`DeskError`]; [`DeskError::Rejected`] where its evidence is, and nothing happened.
    pub async fn receive(&self, plan: Receive) -> Result<LotEventMade, DeskError> {
        let desk = self.clone();
        let (made, arrived) = blocking(move || desk.make_receipt(&plan)).await?;
        let desk = self.clone();
        let keep = move |made: Made<Vec<NewLot>>| {
            let seals: Vec<[u8; 32]> = arrived.seals.clone();
            let received = Received {
                event: &made.row,
                lots: &made.lots,
                from: arrived.from,
                seals: &seals,
                events: &arrived.events,
                records: &arrived.records,
                named: &arrived.named,
                advice: &arrived.advice,
                not_after_ms: arrived.not_after_ms,
                answer: arrived.answer,
            };
            for parts in &arrived.parts {
                if desk.parts.vault.parts(&parts.class)?.is_none() {
                    desk.parts.vault.put_parts(parts)?;
                }
            }
            desk.parts.vault.put_received(&desk.actor, &received)?;
            Ok(Made { signed: made.signed, row: made.row, lots: () })
        };
        let made = self.keep_and_post(made, keep).await?;
        self.shared.parcels.notify_one();
        Ok(made)
    }

    fn make_receipt(&self, plan: &Receive) -> Result<(Made<Vec<NewLot>>, Arrived), DeskError> {
        let Checked { file, open, sender } = self.check_parcel(&plan.parcel)?;
        let network = self.parts.intake.network();
        let mut grounds = Vec::with_capacity(open.parts.len());
        for (part, lot) in open.parts.iter().zip(&file.lots) {
            // Whether its seal is whole, the log says when it is posted.
            let verdict = self.verdict(&lot.capsule, false)?;
            let faults = faults(&verdict);
            if !faults.is_empty() && !plan.anyway {
                return Err(DeskError::Rejected(part.name.clone(), faults.join(", ")));
            }
            grounds.push(ground(&verdict));
        }
        let mut lots = Vec::with_capacity(open.parts.len());
        let mut seals = Vec::with_capacity(open.parts.len());
        for (place, part) in open.parts.iter().enumerate() {
            let seal = part.open.lot().seal.0;
            let offered = self.parts.vault.offered_seal(&seal)?;
            let offered = offered.filter(|seal| seal.to == *sender.as_bytes());
            let name = plan.names.get(place).filter(|name| !name.is_empty());
            lots.push(NewLot {
                hash: part.open.lot().hash(network.as_bytes()).0,
                name: name.unwrap_or(&part.name).clone(),
                open: part.open.encode(),
                description: part.description.encode(),
                seal_index: offered.ok_or(VaultError::SealUsed)?.index,
                output: u32::try_from(place).unwrap_or(u32::MAX),
            });
            seals.push(seal);
        }
        let answer = self.discrepancy(plan, &open, sender)?;
        let (events, records) = self.upstream_of(&open, &grounds)?;
        let signed = self.sign(&open.body, file.cosignatures.clone());
        let outputs = open.event.output_hashes(network.as_bytes());
        let row = LotEventRow {
            digest: open.digest.0,
            kind: open.event.kind.code(),
            event: open.event.encode(),
            proofs: Vec::new(),
            blinds: open.parts.iter().map(|part| part.blind).collect(),
            transaction_id: *signed.id.as_bytes(),
            envelope: signed.envelope.to_vec(),
            inputs: Vec::new(),
            outputs: outputs.iter().map(|hash| hash.0).collect(),
            origin: None,
            leaf_index: None,
            at_ms: self.tip().time.0,
        };
        let arrived = Arrived {
            parts: open
                .assemblies
                .iter()
                .map(|whole| parts_of(whole, network.as_bytes()))
                .collect(),
            from: *sender.as_bytes(),
            seals,
            events,
            records,
            named: self.named_in(&open)?,
            advice: file.advice.unwrap_or_default().encode_to_vec(),
            not_after_ms: open.body.not_after_ms,
            answer,
        };
        Ok((Made { signed, row, lots }, arrived))
    }

    /// What the sender is told of a parcel that is taken although something differs.
    fn discrepancy(
        &self,
        plan: &Receive,
        open: &OpenParcel,
        sender: MemberId,
    ) -> Result<Option<Vec<u8>>, DeskError> {
        if plan.discrepancy.is_empty() && plan.counted.is_empty() {
            return Ok(None);
        }
        let mut counts: BTreeMap<u32, Count> = BTreeMap::new();
        for (place, mass_mg, pieces) in &plan.counted {
            let known = usize::try_from(*place).is_ok_and(|place| place < open.parts.len());
            if !known {
                return Err(VaultError::UnknownLot.into());
            }
            let (mass_mg, pieces) = (*mass_mg, *pieces);
            counts.insert(*place, Count { place: place.saturating_add(1), mass_mg, pieces });
        }
        let counts = counts.into_values().collect();
        self.answer_to(&open.digest.0, sender, (false, &plan.discrepancy), counts).map(Some)
    }

    fn answer_to(
        &self,
        transfer: &[u8; 32],
        sender: MemberId,
        (refused, text): (bool, &str),
        counts: Vec<Count>,
    ) -> Result<Vec<u8>, DeskError> {
        let network = self.parts.intake.network();
        let answer = Answer {
            receiver: self.parts.member.to_vec(),
            sender: sender.to_vec(),
            transfer: transfer.to_vec(),
            refused,
            text: text.to_owned(),
            counts,
            at_ms: self.tip().time.0,
            ..Answer::default()
        };
        let answer = answer.signed(&network, &self.parts.signing);
        Answer::read(&answer, &network)?;
        Ok(answer)
    }

    /// What the capsules of a parcel tell that this member has not by itself, each event and record once. Of one that is not
    /// sound nothing is kept, and one with holes changes nothing that is known: what later capsules are made of was checked.
    fn upstream_of(
        &self,
        open: &OpenParcel,
        grounds: &[Ground],
    ) -> Result<(Vec<UpstreamEvent>, Vec<UpstreamRecord>), DeskError> {
        let vault = &self.parts.vault;
        let mut events: BTreeMap<u64, UpstreamEvent> = BTreeMap::new();
        let mut records: BTreeMap<RecordId, CapsuleRecord> = BTreeMap::new();
        for (part, ground) in open.parts.iter().zip(grounds) {
            if *ground == Ground::Unsound {
                continue;
            }
            let Capsule { events: shown, records: told, .. } = &part.capsule;
            for event in shown {
                let own = vault.lot_event_at(event.leaf)?.is_some();
                let known = *ground == Ground::Holes && vault.upstream_event(event.leaf)?.is_some();
                if own || known {
                    continue;
                }
                let blinds = event.proven_blinds(&part.capsule);
                let known = events.entry(event.leaf).or_insert_with(|| UpstreamEvent {
                    leaf: event.leaf,
                    event: event.event.clone(),
                    proofs: event.proofs.clone(),
                    blinds: blinds.clone(),
                });
                known.show(&blinds);
            }
            for record in told {
                let id = heatmark_merkle::Hash::try_from(record.record.as_slice());
                let id = id.map_err(|_| TransferError::Capsule)?;
                if matches!(vault.record(&id), Ok(None)) {
                    records
                        .entry(id)
                        .and_modify(|known| known.learn(record))
                        .or_insert_with(|| record.clone());
                }
            }
        }
        let mut rows = Vec::with_capacity(records.len());
        for (id, mut record) in records {
            (record.transaction, record.path) = (Vec::new(), Vec::new());
            let mut onward: std::collections::BTreeSet<String> =
                open.onward.get(&id).into_iter().flatten().map(ToString::to_string).collect();
            if let Some(known) = vault.upstream_record(&id)? {
                onward.extend(known.onward);
                let known = CapsuleRecord::decode(known.content.as_slice());
                record.learn(&known.map_err(|_| VaultError::Damaged)?);
            }
            let attests = attested(&fields_of(&record));
            let (content, onward) = (record.encode_to_vec(), onward.into_iter().collect());
            rows.push(UpstreamRecord { record: id, content, onward, attests });
        }
        Ok((events.into_values().collect(), rows))
    }

    /// What the capsules of a parcel name without showing it, as far as it is not known here.
    fn named_in(&self, open: &OpenParcel) -> Result<Vec<NamedRecord>, DeskError> {
        let mut named: BTreeMap<RecordId, NamedRecord> = BTreeMap::new();
        for shown in open.parts.iter().flat_map(|part| &part.capsule.heads) {
            let (record, _) = shown.named().map_err(|_| TransferError::Capsule)?;
            if named.contains_key(&record) || self.parts.vault.named(&record)?.is_some() {
                continue;
            }
            let root = shown.root.as_slice().try_into().map_err(|_| TransferError::Capsule)?;
            named.insert(record, NamedRecord { record, head: shown.head.clone(), root });
        }
        Ok(named.into_values().collect())
    }

    /// Says to the sender that a parcel is not taken; gives what it is told as a file.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn refuse(&self, parcel: Vec<u8>, reason: String) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        let answer = blocking(move || {
            let Checked { file, open, sender } = desk.check_parcel(&parcel)?;
            let transfer = open.digest.0;
            if desk.parts.vault.parcel(&transfer)?.is_some() {
                return Err(VaultError::NotUnderway.into());
            }
            let answer = desk.answer_to(&transfer, sender, (true, &reason), Vec::new())?;
            let row = ParcelRow {
                transfer,
                peer: *sender.as_bytes(),
                sent: false,
                lots: Vec::new(),
                state: ParcelState::Refused,
                not_after_ms: open.body.not_after_ms,
                at_ms: desk.tip().time.0,
                advice: file.advice.unwrap_or_default().encode_to_vec(),
                answer: Some(answer.clone()),
                letter_waits: true,
                cancelled_by: None,
            };
            desk.parts.vault.put_refused(&desk.actor, &row)?;
            Ok(answer)
        })
        .await?;
        self.shared.parcels.notify_one();
        Ok(answer)
    }

    /// Keeps what a receiver says to a parcel of this member's.
    pub(super) fn keep_answer(&self, bytes: &[u8], from: MemberId) -> Result<(), DeskError> {
        let network = self.parts.intake.network();
        let answer = self.proved(Answer::read(bytes, &network)?)?;
        if answer.sender != self.parts.member.as_bytes() || answer.receiver != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        let transfer: [u8; 32] =
            answer.transfer.as_slice().try_into().map_err(|_| TransferError::NotCanonical)?;
        let about = (&transfer, from.as_bytes());
        if self.parts.vault.answer_arrived(about, answer.refused, bytes)? {
            Ok(())
        } else {
            Err(DeskError::NotForUs)
        }
    }

    /// Writes the letter with what is said to a parcel.
    pub(super) async fn post_answer(&self, parcel: &ParcelRow) -> Result<(), DeskError> {
        if let Some(answer) = parcel.answer.clone() {
            self.send_letter(parcel.peer.into(), ANSWER_NAME.to_owned(), answer).await?;
        }
        let (vault, transfer) = (self.parts.vault.clone(), parcel.transfer);
        blocking(move || Ok(vault.parcel_letter_written(&transfer)?)).await
    }

    /// What a receiver said, in a file of its own that was checked when it came.
    #[must_use]
    pub fn answer_in(&self, parcel: &ParcelRow) -> Option<Answer> {
        let answer = parcel.answer.as_deref()?;
        Answer::decode(answer).ok()
    }
}

/// What came with a parcel.
struct Arrived {
    parts: Vec<Parts>,
    from: [u8; 32],
    seals: Vec<[u8; 32]>,
    events: Vec<UpstreamEvent>,
    records: Vec<UpstreamRecord>,
    named: Vec<NamedRecord>,
    advice: Vec<u8>,
    not_after_ms: u64,
    answer: Option<Vec<u8>>,
}

fn fields_of(record: &CapsuleRecord) -> Vec<(Path, Said)> {
    let fields = record.fields.iter().filter_map(|field| FieldProof::decode(field).ok());
    fields.map(|field| (field.path, field.said)).collect()
}

/// What a container or product consists of, as the vault keeps it.
fn parts_of(whole: &OpenAssembly, network: &[u8; 32]) -> Parts {
    let part = |component: &OpenComponent| Part {
        lot: component.open.lot().hash(network).0,
        name: component.name.clone(),
        open: component.open.encode(),
        description: component.description.encode(),
    };
    Parts {
        class: whole.class.0,
        product: whole.product,
        salt: whole.salt,
        components: whole.components.iter().map(part).collect(),
    }
}

/// The certificate that a record says it attests.
pub(super) fn attested(fields: &[(Path, Said)]) -> Option<RecordId> {
    let field = fields.iter().find(|(path, _)| path.as_str() == ATTESTS)?;
    match &field.1 {
        Said::Shown { value: Value::Text(text), .. } => text.parse().ok(),
        _ => None,
    }
}
