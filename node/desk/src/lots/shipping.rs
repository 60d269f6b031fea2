//! Sending lots: the transfer under the receiver's seals, signed by the lots' own, goes with capsules and despatch advice as
//! one parcel. It is on disk, with its lots reserved, before it leaves; where the receiver has offered no seals, its node is
//! asked and the shipment waits. The lots are the receiver's once it has posted the transfer, and the sender's again once they
//! are taken back or the window is over.

use super::capsule::{Showing, encoded};
use super::making::{lots_named, places};
use super::offers::{MOST_SEALS, PARCEL_NAME, REQUEST_NAME};
use super::{LotEventMade, Made};
use crate::keys::LOT_SEALS;
use crate::post::MAX_LETTER_FILE_BYTES;
use crate::submission::Signed;
use crate::{Desk, DeskError, blocking};
use heatmark_evidence::Selection;
use heatmark_evidence::transfer::{
    DespatchAdvice, MOST_ASSEMBLIES, Onward, Parcel, ParcelAssembly, ParcelComponent, ParcelLot,
    SealRequest, SignedFile,
};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::transaction::{self, NONCE_BYTES};
use heatmark_ledger::{execute::MAX_LOT_WINDOW_MS, messages as ledger, state};
use heatmark_lots::{Event, Kind, OpenLot};
use heatmark_merkle::Hash;
use heatmark_proto::desk::v1 as pb;
use heatmark_records::{Path, Specification};
use heatmark_vault::{
    LotEventRow, LotRow, NewLot, NewParcel, ParcelRow, ShipmentRow, UpstreamRecord, VaultError,
};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long a receiver has, unless the sender says otherwise: 30 days.
const WINDOW_MS: u64 = 30 * 86_400_000;
/// For what own certificates are shown where the despatch advice names no order.
const PURPOSE: &str = "delivery";

/// What became of lots that are to be sent.
#[derive(Debug, Clone)]
pub enum Shipped {
    /// The receiver's node is asked for seals; the parcel goes as soon as they are here.
    Waiting {
        /// What to ask for it by.
        shipment: [u8; 32],
    },
    /// The parcel is made.
    Underway {
        /// Digest of the transfer.
        transfer: [u8; 32],
        /// The parcel's file.
        parcel: Vec<u8>,
    },
}

impl Desk {
    /// Sends lots to a member.
    ///
    /// # Errors
    /// See [`DeskError`]; nothing was sent or reserved then.
    pub async fn ship(&self, request: pb::ShipLotsRequest) -> Result<Shipped, DeskError> {
        let to = super::offers::member_in(&request.to)?;
        if to == self.parts.member || state::member(&self.parts.store, &to)?.is_none() {
            return Err(DeskError::UnknownMember(to));
        }
        let count = u32::try_from(request.lots.len()).unwrap_or(u32::MAX);
        if !(1..=MOST_SEALS).contains(&count) {
            return Err(DeskError::SealCount);
        }
        let desk = self.clone();
        let made = blocking(move || desk.make_shipment(to, request)).await?;
        if let Shipped::Waiting { .. } = &made {
            let request = SealRequest {
                sender: self.parts.member.to_vec(),
                receiver: to.to_vec(),
                seals: count,
                nonce: rand::random::<[u8; 16]>().to_vec(),
                ..SealRequest::default()
            };
            let request = request.signed(&self.parts.intake.network(), &self.parts.signing);
            self.send_letter(to, REQUEST_NAME.to_owned(), request).await?;
        }
        self.shared.parcels.notify_one();
        Ok(made)
    }

    fn make_shipment(
        &self,
        to: MemberId,
        request: pb::ShipLotsRequest,
    ) -> Result<Shipped, DeskError> {
        let seals = self.seals_of(to, request.lots.len())?;
        if seals.len() == request.lots.len() {
            return self.make_parcel(to, &request, &seals, None);
        }
        if request.as_file {
            return Err(DeskError::NoSeals(to));
        }
        // What cannot be sent now cannot be sent later: a name that is wrong is told at once.
        for lot in lots_named(self, &request.lots)? {
            if lot.used_by.is_some() {
                return Err(VaultError::LotUsed(lot.name).into());
            }
            lot.leaf_index.ok_or(VaultError::LotNotThere(lot.name))?;
        }
        let shipment: [u8; 32] = rand::random();
        let (plan, at_ms) = (request.encode_to_vec(), self.tip().time.0);
        let trouble = String::new();
        let row = ShipmentRow { id: shipment, to: *to.as_bytes(), plan, at_ms, trouble };
        self.parts.vault.put_shipment(&row)?;
        Ok(Shipped::Waiting { shipment })
    }

    fn seals_of(&self, to: MemberId, count: usize) -> Result<Vec<[u8; 32]>, DeskError> {
        let seals = self.parts.vault.stranger_seals(to.as_bytes(), count)?;
        Ok(seals.into_iter().map(|seal| seal.seal).collect())
    }

    /// Goes on with what waited for seals. One that cannot be made says why, and waits for a person.
    pub(super) fn resume_shipments(&self) -> Result<(), DeskError> {
        for row in self.parts.vault.shipments()? {
            if !row.trouble.is_empty() {
                continue;
            }
            let request = pb::ShipLotsRequest::decode(row.plan.as_slice());
            let request = request.map_err(|_| VaultError::Damaged)?;
            let to = MemberId::from(row.to);
            let seals = self.seals_of(to, request.lots.len())?;
            if seals.len() < request.lots.len() {
                continue;
            }
            match self.make_parcel(to, &request, &seals, Some(row.id)) {
                Ok(_) => {}
                Err(DeskError::Vault(VaultError::Database(error))) => {
                    return Err(VaultError::Database(error).into());
                }
                Err(error) => {
                    let trouble = error.to_string();
                    self.parts.vault.put_shipment(&ShipmentRow { trouble, ..row })?;
                }
            }
        }
        Ok(())
    }

    fn make_parcel(
        &self,
        to: MemberId,
        request: &pb::ShipLotsRequest,
        seals: &[[u8; 32]],
        shipment: Option<[u8; 32]>,
    ) -> Result<Shipped, DeskError> {
        let rows = lots_named(self, &request.lots)?;
        let network = self.parts.intake.network();
        let kind = if request.give_back { Kind::Return } else { Kind::Transfer };
        let mut event = Event::new(kind, rand::random(), places(&rows)?, Vec::new());
        let mut moved = Vec::with_capacity(rows.len());
        for (row, seal) in rows.iter().zip(seals) {
            let open = OpenLot::decode(&row.open).map_err(|_| VaultError::Damaged)?;
            let lot = open.lot().sealed_anew(Hash(*seal), &mut rand::rng());
            moved.push(open.moved_to(lot).map_err(|_| VaultError::Damaged)?);
        }
        event.outputs = moved.iter().map(|open| open.lot().clone()).collect();
        let body = self.hand_over(&event, to, request.window_ms)?;
        let advice = advice_of(request.advice.clone().unwrap_or_default());
        self.take_attestations(&request.attestations)?;
        let showing = showing(to, request, &advice)?;
        let shelf = self.shelf(Some(&showing));
        let keys = self.parts.seed.seals(LOT_SEALS);
        let bytes = body.encode_to_vec();
        let mut parcel = Parcel {
            sender: self.parts.member.to_vec(),
            receiver: to.to_vec(),
            event: event.encode(),
            advice: Some(advice.clone()),
            ..Parcel::default()
        };
        for (row, open) in rows.iter().zip(&moved) {
            let key = keys.key(row.seal_index);
            let seal = transaction::cosign(&network, ledger::CoSigner::Seal, &key, &bytes)?;
            parcel.cosignatures.push(seal);
            parcel.lots.push(ParcelLot {
                name: row.name.clone(),
                open: open.encode().to_vec(),
                description: row.description.to_vec(),
                blind: keys.blind(row.seal_index).to_vec(),
                capsule: encoded(&shelf.capsule_of(row, &[])?)?,
            });
        }
        parcel.body = bytes;
        parcel.onward = onward_of(&shelf.onward.borrow());
        parcel.assemblies = self.assemblies_of(&moved)?;
        let content = parcel.signed(&network, &self.parts.signing);
        // What its receiver's node would refuse does not leave this one.
        Parcel::read(&content, &network)?;
        if content.len() > MAX_LETTER_FILE_BYTES {
            return Err(DeskError::ParcelTooLong);
        }
        let row = LotEventRow {
            digest: event.digest(network.as_bytes()).0,
            kind: event.kind.code(),
            event: event.encode(),
            proofs: Vec::new(),
            blinds: rows.iter().map(|row| keys.blind(row.seal_index)).collect(),
            transaction_id: [0; 32],
            envelope: Vec::new(),
            inputs: rows.iter().map(|row| row.hash).collect(),
            outputs: event.output_hashes(network.as_bytes()).iter().map(|hash| hash.0).collect(),
            origin: None,
            leaf_index: None,
            at_ms: self.tip().time.0,
        };
        let new = NewParcel {
            event: &row,
            to: *to.as_bytes(),
            seals,
            not_after_ms: body.not_after_ms,
            advice: &advice.encode_to_vec(),
            content: &content,
            shipment,
            letter: !request.as_file,
        };
        self.parts.vault.put_parcel(&self.actor, &new)?;
        Ok(Shipped::Underway { transfer: row.digest, parcel: content })
    }

    /// What containers and products consist of, through all that is in them, as far as it is known here.
    fn assemblies_of(&self, lots: &[OpenLot]) -> Result<Vec<ParcelAssembly>, DeskError> {
        let mut open: VecDeque<Hash> = lots.iter().map(|lot| lot.lot().content.class).collect();
        let mut seen: BTreeSet<Hash> = BTreeSet::new();
        let mut assemblies = Vec::new();
        while let Some(class) = open.pop_front() {
            if !seen.insert(class) {
                continue;
            }
            let Some(parts) = self.parts.vault.parts(&class.0)? else { continue };
            if assemblies.len() == MOST_ASSEMBLIES {
                return Err(DeskError::ParcelTooLong);
            }
            let mut components = Vec::with_capacity(parts.components.len());
            for part in parts.components {
                let lot = OpenLot::decode(&part.open).map_err(|_| VaultError::Damaged)?;
                open.push_back(lot.lot().content.class);
                components.push(ParcelComponent {
                    name: part.name,
                    open: part.open.to_vec(),
                    description: part.description.to_vec(),
                });
            }
            assemblies.push(ParcelAssembly {
                class: class.0.to_vec(),
                product: parts.product,
                salt: parts.salt.to_vec(),
                components,
            });
        }
        Ok(assemblies)
    }

    /// The body of the transaction that the receiver may post.
    fn hand_over(
        &self,
        event: &Event,
        to: MemberId,
        window_ms: u64,
    ) -> Result<ledger::Body, DeskError> {
        let network = self.parts.intake.network();
        let parameters = state::parameters(&self.parts.store)?;
        let outputs = event.output_hashes(network.as_bytes());
        let payload = ledger::LotEvent {
            digest: event.digest(network.as_bytes()).0.to_vec(),
            outputs: outputs.iter().map(|hash| hash.0.to_vec()).collect(),
            carrier: to.to_vec(),
        };
        let window = if window_ms == 0 { WINDOW_MS } else { window_ms };
        let early = parameters.max_clock_skew_ms;
        if window > MAX_LOT_WINDOW_MS.saturating_sub(early) {
            return Err(DeskError::Window);
        }
        let now = self.tip().time.0;
        Ok(ledger::Body {
            not_before_ms: now.saturating_sub(early),
            not_after_ms: now.saturating_add(window),
            nonce: rand::random::<[u8; NONCE_BYTES]>().to_vec(),
            payload: Some(ledger::body::Payload::LotEvent(payload)),
        })
    }

    /// Keeps what laboratories disclosed to this member, to go along with its lots from now on.
    fn take_attestations(&self, files: &[Vec<u8>]) -> Result<(), DeskError> {
        let mut records = Vec::with_capacity(files.len());
        for bytes in files {
            let own = Some(&self.parts.member);
            let verified = heatmark_evidence::verify(bytes, &self.parts.trust, own)
                .map_err(DeskError::Evidence)?;
            let attests = super::receiving::attested(&verified.fields);
            let attests = attests.ok_or(DeskError::NoAttestation(verified.record))?;
            let disclosure = heatmark_evidence::Disclosure::decode(bytes);
            let disclosure = disclosure.map_err(DeskError::Evidence)?;
            let record = disclosure.for_capsule(&verified.signer);
            let mut record = record.ok_or(DeskError::NoAttestation(verified.record))?;
            (record.transaction, record.path) = (Vec::new(), Vec::new());
            records.push(UpstreamRecord {
                record: verified.record,
                content: record.encode_to_vec(),
                onward: verified.fields.iter().map(|(path, _)| path.to_string()).collect(),
                attests: Some(attests),
            });
        }
        Ok(self.parts.vault.put_upstream(&[], &records)?)
    }

    /// Takes back lots that their receiver has not posted: they go to fresh seals of this member's own. Whichever the log takes
    /// first, this or the receiver's posting, stands.
    ///
    /// # Errors
    /// See [`DeskError`]; [`DeskError::Refused`] with a broken seal where the receiver was first.
    pub async fn cancel_parcel(&self, transfer: [u8; 32]) -> Result<LotEventMade, DeskError> {
        let desk = self.clone();
        let made = blocking(move || desk.make_cancel(&transfer)).await?;
        let desk = self.clone();
        let keep = move |made: Made<Vec<NewLot>>| {
            let event = (&made.row, made.lots.as_slice());
            desk.parts.vault.put_cancel(&desk.actor, &transfer, event)?;
            Ok(Made { signed: made.signed, row: made.row, lots: () })
        };
        self.keep_and_post(made, keep).await
    }

    fn make_cancel(&self, transfer: &[u8; 32]) -> Result<Made<Vec<NewLot>>, DeskError> {
        let vault = &self.parts.vault;
        let parcel = vault.parcel(transfer)?.filter(|parcel| parcel.sent);
        let parcel = parcel.ok_or(VaultError::UnknownLot)?;
        let mut rows: Vec<LotRow> = Vec::with_capacity(parcel.lots.len());
        for hash in &parcel.lots {
            rows.push(vault.lot(hash)?.ok_or(VaultError::UnknownLot)?);
        }
        let network = self.parts.intake.network();
        let first = vault.take_seal_indices(u64::try_from(rows.len()).unwrap_or(u64::MAX))?;
        let keys = self.parts.seed.seals(LOT_SEALS);
        let mut event = Event::new(Kind::Transfer, rand::random(), places(&rows)?, Vec::new());
        let mut lots = Vec::with_capacity(rows.len());
        for ((seal_index, output), row) in (first..).zip(0_u32..).zip(&rows) {
            let open = OpenLot::decode(&row.open).map_err(|_| VaultError::Damaged)?;
            let lot = open.lot().sealed_anew(keys.seal(seal_index), &mut rand::rng());
            let open = open.moved_to(lot).map_err(|_| VaultError::Damaged)?;
            event.outputs.push(open.lot().clone());
            lots.push(NewLot {
                hash: open.lot().hash(network.as_bytes()).0,
                name: row.name.clone(),
                open: open.encode(),
                description: row.description.clone(),
                seal_index,
                output,
            });
        }
        let (signed, body) = self.carry(&event, &self.seals(None, &rows), 0)?;
        let row = self.row_of(&event, &signed, body.not_before_ms, &rows);
        Ok(Made { signed, row, lots })
    }

    fn row_of(&self, event: &Event, signed: &Signed, at_ms: u64, inputs: &[LotRow]) -> LotEventRow {
        let network = self.parts.intake.network();
        let keys = self.parts.seed.seals(LOT_SEALS);
        LotEventRow {
            digest: event.digest(network.as_bytes()).0,
            kind: event.kind.code(),
            event: event.encode(),
            proofs: Vec::new(),
            blinds: inputs.iter().map(|row| keys.blind(row.seal_index)).collect(),
            transaction_id: *signed.id.as_bytes(),
            envelope: signed.envelope.to_vec(),
            inputs: inputs.iter().map(|row| row.hash).collect(),
            outputs: event.output_hashes(network.as_bytes()).iter().map(|hash| hash.0).collect(),
            origin: None,
            leaf_index: None,
            at_ms,
        }
    }

    /// Writes the letter of a parcel that was made.
    pub(super) async fn post_parcel(&self, parcel: &ParcelRow) -> Result<(), DeskError> {
        let (vault, transfer) = (self.parts.vault.clone(), parcel.transfer);
        let content = blocking(move || Ok(vault.parcel_content(&transfer)?)).await?;
        let content = content.ok_or(VaultError::Damaged)?.to_vec();
        self.send_letter(parcel.peer.into(), PARCEL_NAME.to_owned(), content).await?;
        let vault = self.parts.vault.clone();
        blocking(move || Ok(vault.parcel_letter_written(&transfer)?)).await
    }

    /// Parcels sent and received, and what waits for seals.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn parcels(&self) -> Result<(Vec<ParcelRow>, Vec<ShipmentRow>), DeskError> {
        let vault = self.parts.vault.clone();
        blocking(move || Ok((vault.parcels()?, vault.shipments()?))).await
    }

    /// Gives up what waits for seals.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn drop_shipment(&self, shipment: [u8; 32]) -> Result<(), DeskError> {
        let vault = self.parts.vault.clone();
        blocking(move || {
            if !vault.shipments()?.iter().any(|row| row.id == shipment) {
                return Err(VaultError::UnknownLot.into());
            }
            Ok(vault.drop_shipment(&shipment)?)
        })
        .await
    }

    /// Names of the lots of these hashes, as far as they are here.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn names_of(&self, lots: Vec<[u8; 32]>) -> Result<Vec<String>, DeskError> {
        let vault = self.parts.vault.clone();
        blocking(move || {
            let mut names = Vec::with_capacity(lots.len());
            for hash in &lots {
                names.extend(vault.lot(hash)?.map(|lot| lot.name));
            }
            Ok(names)
        })
        .await
    }
}

fn showing(
    receiver: MemberId,
    request: &pb::ShipLotsRequest,
    advice: &DespatchAdvice,
) -> Result<Showing, DeskError> {
    let parsed = |text: &str| Specification::parse(text).map_err(|_| DeskError::BadSpecification);
    let text = Some(request.specification.as_str()).filter(|text| !text.is_empty());
    let specification = text.map(parsed).transpose()?;
    if specification.as_ref().is_some_and(|specification| specification.own_limits) {
        return Err(DeskError::BadSpecification);
    }
    // What may go on is shown, or it could not.
    let show = request.show.iter().chain(&request.onward).cloned().collect();
    let named = !advice.order.trim().is_empty();
    Ok(Showing {
        receiver,
        purpose: if named { advice.order.clone() } else { PURPOSE.to_owned() },
        show: Selection::new(show)?,
        onward: Selection::new(request.onward.clone())?,
        specification,
    })
}

fn onward_of(onward: &BTreeMap<heatmark_records::RecordId, BTreeSet<Path>>) -> Vec<Onward> {
    let some = onward.iter().filter(|(_, paths)| !paths.is_empty());
    some.map(|(record, paths)| Onward {
        record: record.0.to_vec(),
        paths: paths.iter().map(ToString::to_string).collect(),
    })
    .collect()
}

pub(super) fn advice_of(note: pb::DespatchNote) -> DespatchAdvice {
    let pb::DespatchNote { number, order, carrier, note, despatched_ms } = note;
    DespatchAdvice { number, order, carrier, note, despatched_ms }
}
