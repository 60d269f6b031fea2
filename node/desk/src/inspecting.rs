//! Inspections that the node keeps, so that it can run them again when a deal has opened what was missing: over the same files and
//! the same lots, which are looked up anew with all that this organisation has been shown since. What an inspection was given is
//! kept as it came; what it came to may tell what a deal opened, and goes with it.

use crate::escrow::DealError;
use crate::{Desk, DeskError, blocking};
use heatmark_evidence::capsule::{Capsule, CapsuleRecord, Mine};
use heatmark_inspection::{
    Delivery, Demands, Input, InputError, Inspection, Order, Parcel, Reading, judge, word,
};
use heatmark_ledger::ids::UnixMillis;
use heatmark_merkle::Hash;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::{InspectionRow, VaultError};
use pb::delivered_goods::What;
use prost::Message;
use sha2::{Digest as _, Sha256};

/// Most capsules of one delivery.
const MAX_CAPSULES: usize = 256;

/// An inspection that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionView {
    /// Its id.
    pub id: [u8; 32],
    /// When it was run, by the node's clock.
    pub at_ms: u64,
    /// `accept`, `hold` or `reject`.
    pub verdict: String,
    /// What was delivered, by name.
    pub lots: Vec<String>,
    /// The order, in words; empty without one.
    pub order: String,
    /// The one that it repeats, and the deal for which.
    pub repeats: Option<([u8; 32], [u8; 32])>,
    /// Whether what it came to is destroyed.
    pub destroyed: bool,
}

/// What an inspection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionFound {
    /// As `heatmark_inspection::json` gives it.
    pub json: String,
    /// For people.
    pub text: String,
}

/// What an inspection came to, as it is kept.
#[derive(Clone, PartialEq, Message)]
struct Found {
    #[prost(string, tag = "1")]
    json: String,
    #[prost(string, tag = "2")]
    text: String,
}

impl Desk {
    /// Runs an inspection and keeps it; gives what it came to.
    ///
    /// # Errors
    /// [`DeskError::Inspection`] for a file that cannot be used; see [`DeskError`].
    pub async fn keep_inspection(
        &self,
        given: pb::InspectionGiven,
    ) -> Result<InspectionView, DeskError> {
        let row = InspectionRow { id: rand::random::<[u8; 32]>().to_vec(), ..Default::default() };
        view(self.inspect_and_keep((given, true), row).await?)
    }

    /// Inspections that are kept, newest first; those whose ids begin so in hex.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn inspections(&self, named: String) -> Result<Vec<InspectionView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let rows = desk.parts.vault.inspections()?.into_iter();
            let named = rows.filter(|row| hex::encode(&row.id).starts_with(&named));
            let mut views = named.map(view).collect::<Result<Vec<_>, _>>()?;
            views.sort_by_key(|view| std::cmp::Reverse(view.at_ms));
            Ok(views)
        })
        .await
    }

    /// What an inspection came to; none once that is destroyed.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn inspection_found(
        &self,
        id: [u8; 32],
    ) -> Result<Option<InspectionFound>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let Some(found) = desk.parts.vault.found_by_inspection(&id)? else { return Ok(None) };
            let found = Found::decode(found.as_slice()).map_err(|_| VaultError::Damaged)?;
            Ok(Some(InspectionFound { json: found.json, text: found.text }))
        })
        .await
    }

    /// Runs an inspection again, for a deal that has opened what it missed, and keeps what it comes to under an id of its own: one
    /// that is there already stays.
    pub(crate) async fn inspect_again(
        &self,
        (before, deal): (&[u8; 32], &[u8; 32]),
        id: [u8; 32],
    ) -> Result<(), DeskError> {
        let given = self.parts.vault.given_to_inspection(before)?;
        let given = given.ok_or(DealError::NoSuchInspection)?;
        let given = pb::InspectionGiven::decode(given.as_slice());
        let given = given.map_err(|_| VaultError::Damaged)?;
        let (before, deal) = (before.to_vec(), deal.to_vec());
        let row = InspectionRow { id: id.to_vec(), before, deal, ..Default::default() };
        self.inspect_and_keep((given, false), row).await.map(drop)
    }

    async fn inspect_and_keep(
        &self,
        (given, new): (pb::InspectionGiven, bool),
        row: InspectionRow,
    ) -> Result<InspectionRow, DeskError> {
        let at_ms = self.now().0;
        let (given, inspection) = self.run_inspection(given, at_ms).await?;
        let row = InspectionRow {
            at_ms,
            verdict: word(inspection.outcome).to_owned(),
            lots: inspection.lots.iter().map(heatmark_inspection::Lot::title).collect(),
            order: inspection.order.clone(),
            ..row
        };
        let found = Found {
            json: heatmark_inspection::json(&inspection).to_string(),
            text: heatmark_inspection::text(&inspection),
        };
        let desk = self.clone();
        blocking(move || {
            let given = new.then(|| given.encode_to_vec());
            let found = found.encode_to_vec();
            desk.parts.vault.put_inspection(&row, given.as_deref(), &found)?;
            Ok(row)
        })
        .await
    }

    /// Runs an inspection over what it was given.
    async fn run_inspection(
        &self,
        given: pb::InspectionGiven,
        at_ms: u64,
    ) -> Result<(pb::InspectionGiven, Inspection), DeskError> {
        if !(1..=MAX_CAPSULES).contains(&given.goods.len()) {
            return Err(DealError::NothingDelivered.into());
        }
        let read = Read::of(&given)?;
        let mut capsules = Vec::with_capacity(given.goods.len());
        for goods in &given.goods {
            let capsule = match &goods.what {
                Some(What::Lot(lot)) => {
                    let concerns = read.demands.concerns().to_vec();
                    self.capsule(lot.clone(), concerns, true).await?
                }
                Some(What::Capsule(capsule)) => capsule.clone(),
                None => return Err(DealError::NothingDelivered.into()),
            };
            capsules.push((goods.name.clone(), capsule));
        }
        let desk = self.clone();
        blocking(move || {
            let mine = Mine { label: read.label.clone(), ..Mine::default() };
            let acceptance = read.demands.acceptance(UnixMillis(at_ms), mine);
            let mut parcels = Vec::with_capacity(capsules.len());
            for (name, bytes) in &capsules {
                let learned = desk.with_what_opened(bytes)?;
                let told = learned.as_deref().unwrap_or(bytes);
                let trust = &desk.parts.trust;
                parcels.push(Parcel::inspect_told(name, (bytes, told), trust, &acceptance));
            }
            let delivery = Delivery {
                parcels: &parcels,
                order: read.order.as_ref(),
                demands: &read.demands,
                readings: &read.readings,
            };
            let inspection = judge(&delivery, read.by.clone(), at_ms);
            Ok((given, inspection))
        })
        .await
    }

    /// A capsule with what deals have opened of its records; none where they opened nothing of them.
    fn with_what_opened(&self, bytes: &[u8]) -> Result<Option<Vec<u8>>, DeskError> {
        let Ok(mut capsule) = Capsule::decode(bytes) else { return Ok(None) };
        let mut learned = false;
        for record in &mut capsule.records {
            let Ok(id) = Hash::try_from(record.record.as_slice()) else { continue };
            let fields = self.fields_opened(&id)?;
            if !fields.is_empty() {
                record.learn(&CapsuleRecord { fields, ..CapsuleRecord::default() });
                learned = true;
            }
        }
        Ok(learned.then(|| capsule.encode_to_vec()))
    }
}

/// The files of an inspection, read.
struct Read {
    order: Option<Order>,
    demands: Demands,
    readings: Vec<Reading>,
    label: Option<Vec<u8>>,
    by: Vec<Input>,
}

impl Read {
    fn of(given: &pb::InspectionGiven) -> Result<Self, DeskError> {
        let unfit = |file: &pb::NamedFile| {
            let name = file.name.clone();
            move |error: InputError| DeskError::Inspection(name, error)
        };
        let mut by = Vec::new();
        let files =
            [("order", &given.order), ("policy", &given.policy), ("readings", &given.readings)];
        for (what, file) in files {
            by.extend(file.as_ref().map(|file| input(what, file)));
        }
        let order = given.order.as_ref().map(|f| Order::parse(&f.content).map_err(unfit(f)));
        let readings = given.readings.as_ref();
        let readings = readings.map(|file| Reading::parse(&file.content).map_err(unfit(file)));
        let mut load = |name: &str| {
            let named = given.specifications.iter().find(|file| file.name == name);
            let text = named.and_then(|file| String::from_utf8(file.content.clone()).ok());
            text.ok_or_else(|| "it was not kept with the inspection".to_owned())
        };
        let demands = match &given.policy {
            Some(file) => Demands::parse(&file.content, &mut load).map_err(unfit(file))?,
            None => Demands::default(),
        };
        Ok(Self {
            order: order.transpose()?,
            demands,
            readings: readings.transpose()?.unwrap_or_default(),
            label: Some(given.label.clone()).filter(|label| !label.is_empty()),
            by,
        })
    }
}

fn input(what: &'static str, file: &pb::NamedFile) -> Input {
    Input {
        what,
        name: file.name.clone(),
        sha256: Sha256::digest(&file.content).into(),
        bytes: u64::try_from(file.content.len()).unwrap_or(u64::MAX),
    }
}

fn view(row: InspectionRow) -> Result<InspectionView, DeskError> {
    let id = |bytes: &[u8]| -> Result<[u8; 32], DeskError> {
        Ok(bytes.try_into().map_err(|_| VaultError::Damaged)?)
    };
    let repeats = match row.before.as_slice() {
        [] => None,
        before => Some((id(before)?, id(&row.deal)?)),
    };
    Ok(InspectionView {
        id: id(&row.id)?,
        at_ms: row.at_ms,
        verdict: row.verdict,
        lots: row.lots,
        order: row.order,
        repeats,
        destroyed: row.destroyed,
    })
}
