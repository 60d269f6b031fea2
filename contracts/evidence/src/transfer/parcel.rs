//! What is in a parcel, as far as it can be told without the log: the transaction is the transfer of these very lots to this
//! receiver, the seals of the lots that their capsules lead to have signed it, and the quantities open. What the capsules
//! prove, [`crate::capsule::inspect`] says.

use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{transaction, wire};
use heatmark_lots::{
    Event, Facts, Input, Kind, Lot, LotError, OpenLot, Proofs, assembly_class, check_seal,
    verify_all,
};
use heatmark_merkle::{Hash, LeafIndex};
use heatmark_records::{Opening, Path, RecordId};
use std::collections::{BTreeMap, BTreeSet};

use super::{Parcel, TransferError};
use crate::capsule::Capsule;

/// A parcel whose parts belong together.
#[derive(Debug)]
pub struct OpenParcel {
    /// The transfer.
    pub event: Event,
    /// Its digest.
    pub digest: Hash,
    /// The body of the transaction, and its exact bytes.
    pub body: pb::Body,
    /// The lots, in the order of the event's outputs.
    pub parts: Vec<ParcelPart>,
    /// What of which record may go on.
    pub onward: BTreeMap<RecordId, BTreeSet<Path>>,
    /// What containers and products among the lots consist of.
    pub assemblies: Vec<OpenAssembly>,
}

/// What a container or product consists of: its class follows from it.
#[derive(Debug)]
pub struct OpenAssembly {
    /// Its class.
    pub class: Hash,
    /// Whether it is a product.
    pub product: bool,
    /// Salt of the event that put it together.
    pub salt: [u8; 32],
    /// Its components.
    pub components: Vec<OpenComponent>,
}

/// A component as it went in.
#[derive(Debug)]
pub struct OpenComponent {
    /// What the sender called it.
    pub name: String,
    /// The lot with its quantities.
    pub open: OpenLot,
    /// The opening of its description.
    pub description: Opening,
}

/// A lot of a parcel.
#[derive(Debug)]
pub struct ParcelPart {
    /// What the sender calls it.
    pub name: String,
    /// The lot as it will be the receiver's.
    pub open: OpenLot,
    /// The opening of its description.
    pub description: Opening,
    /// What opens the seal that the sender breaks.
    pub blind: [u8; 32],
    /// The lot as it is the sender's.
    pub before: Lot,
    /// Its capsule.
    pub capsule: Capsule,
}

impl Parcel {
    /// Checks that the parts of the parcel belong together.
    ///
    /// # Errors
    /// [`TransferError`] for what does not.
    pub fn open(&self, network: &NetworkId) -> Result<OpenParcel, TransferError> {
        let event = Event::decode(&self.event)?;
        let body = wire::decode_body(&self.body).map_err(|_| TransferError::Transaction)?;
        let digest = event.digest(network.as_bytes());
        self.check_transaction(&body, &event, network)?;
        if self.lots.len() != event.outputs.len() {
            return Err(TransferError::Transaction);
        }
        let mut parts = Vec::with_capacity(self.lots.len());
        for (place, output) in event.outputs.iter().enumerate() {
            let part = self.part(place, (&event, output), network)?;
            parts.push(part);
        }
        let inputs: Vec<Option<&Lot>> = parts.iter().map(|part| Some(&part.before)).collect();
        let facts =
            Facts { network: network.as_bytes(), event: &event, inputs: &inputs, certified: None };
        let claim = facts.claim()?;
        let proofs = Proofs::decode(&[])?;
        for result in verify_all(&[(&claim, &proofs)]) {
            result?;
        }
        drop(inputs);
        let assemblies = self.assemblies(network, &parts)?;
        Ok(OpenParcel { digest, body, parts, onward: self.onward()?, assemblies, event })
    }

    fn check_transaction(
        &self,
        body: &pb::Body,
        event: &Event,
        network: &NetworkId,
    ) -> Result<(), TransferError> {
        let Some(Payload::LotEvent(logged)) = &body.payload else {
            return Err(TransferError::Transaction);
        };
        let outputs = event.output_hashes(network.as_bytes());
        let same = logged.digest == event.digest(network.as_bytes()).0
            && logged.outputs.iter().eq(outputs.iter().map(|hash| &hash.0[..]))
            && logged.carrier == self.receiver
            && matches!(event.kind, Kind::Transfer | Kind::Return)
            && self.cosignatures.len() == event.inputs.len();
        if same { Ok(()) } else { Err(TransferError::Transaction) }
    }

    fn part(
        &self,
        place: usize,
        (event, output): (&Event, &Lot),
        network: &NetworkId,
    ) -> Result<ParcelPart, TransferError> {
        let lot = self.lots.get(place).ok_or(TransferError::Transaction)?;
        let input = event.inputs.get(place).ok_or(TransferError::Transaction)?;
        let seal = self.cosignatures.get(place).ok_or(TransferError::Seal)?;
        let open = OpenLot::decode(&lot.open)?;
        if open.lot() != output {
            return Err(TransferError::Lot(LotError::WrongOpening));
        }
        let description =
            Opening::decode(&lot.description).map_err(|_| TransferError::Description)?;
        let root = description.check().map_err(|_| TransferError::Description)?;
        if root != output.content.description {
            return Err(TransferError::Description);
        }
        let capsule = Capsule::decode(&lot.capsule).map_err(|_| TransferError::Capsule)?;
        let before = capsule.lot().ok_or(TransferError::Capsule)?;
        if capsule.place() != *input {
            return Err(TransferError::Capsule);
        }
        let key = <[u8; 32]>::try_from(seal.public_key.as_slice());
        let key = key.map_err(|_| TransferError::Seal)?;
        let blind = <[u8; 32]>::try_from(lot.blind.as_slice());
        let blind = blind.map_err(|_| TransferError::Seal)?;
        check_seal(&before.seal, &key, &blind).map_err(|_| TransferError::Seal)?;
        if seal.purpose() != pb::CoSigner::Seal
            || transaction::verify_cosignature(network, seal, &self.body).is_err()
        {
            return Err(TransferError::Seal);
        }
        let name = lot.name.clone();
        Ok(ParcelPart { name, open, description, blind, before, capsule })
    }

    /// Refuses components of which no lot of the parcel consists.
    fn assemblies(
        &self,
        network: &NetworkId,
        parts: &[ParcelPart],
    ) -> Result<Vec<OpenAssembly>, TransferError> {
        let mut whole: BTreeSet<Hash> =
            parts.iter().map(|part| part.before.content.class).collect();
        let mut assemblies = Vec::with_capacity(self.assemblies.len());
        for told in &self.assemblies {
            let hash = |bytes: &[u8]| <[u8; 32]>::try_from(bytes);
            let (Ok(class), Ok(salt)) = (hash(&told.class), hash(&told.salt)) else {
                return Err(TransferError::NotCanonical);
            };
            let mut components = Vec::with_capacity(told.components.len());
            for component in &told.components {
                let open = OpenLot::decode(&component.open)?;
                let description = Opening::decode(&component.description)
                    .map_err(|_| TransferError::Description)?;
                let root = description.check().map_err(|_| TransferError::Description)?;
                if root != open.lot().content.description {
                    return Err(TransferError::Description);
                }
                let name = component.name.clone();
                components.push(OpenComponent { name, open, description });
            }
            let contents = components.iter().map(|component| &component.open.lot().content);
            let hashes: Vec<Hash> =
                contents.clone().map(|content| content.hash(network.as_bytes())).collect();
            let follows = assembly_class(told.product, network.as_bytes(), &salt, &hashes);
            if follows != Hash(class) || !whole.contains(&follows) {
                return Err(TransferError::Lot(LotError::Components));
            }
            whole.extend(contents.map(|content| content.class));
            let (class, product) = (follows, told.product);
            assemblies.push(OpenAssembly { class, product, salt, components });
        }
        Ok(assemblies)
    }

    fn onward(&self) -> Result<BTreeMap<RecordId, BTreeSet<Path>>, TransferError> {
        let mut onward = BTreeMap::new();
        for entry in &self.onward {
            let record = Hash::try_from(entry.record.as_slice());
            let record = record.map_err(|_| TransferError::NotCanonical)?;
            let paths: Result<BTreeSet<Path>, _> =
                entry.paths.iter().map(|path| Path::new(path)).collect();
            onward.insert(record, paths.map_err(|_| TransferError::NotCanonical)?);
        }
        Ok(onward)
    }

    /// The member that it is for.
    ///
    /// # Errors
    /// `NotCanonical`.
    pub fn addressee(&self) -> Result<MemberId, TransferError> {
        MemberId::try_from(self.receiver.as_slice()).map_err(|_| TransferError::NotCanonical)
    }
}

impl Capsule {
    /// The place of the lot that the capsule is about.
    #[must_use]
    pub const fn place(&self) -> Input {
        Input { leaf: LeafIndex(self.leaf), output: self.output }
    }

    /// The lot that the capsule is about, by its own word.
    #[must_use]
    pub fn lot(&self) -> Option<Lot> {
        self.lot_at(self.place())
    }

    /// A lot that the capsule shows, by its own word.
    #[must_use]
    pub fn lot_at(&self, place: Input) -> Option<Lot> {
        let at = self.events.binary_search_by_key(&place.leaf.0, |event| event.leaf).ok()?;
        let event = Event::decode(&self.events.get(at)?.event).ok()?;
        event.outputs.get(usize::try_from(place.output).ok()?).cloned()
    }
}
