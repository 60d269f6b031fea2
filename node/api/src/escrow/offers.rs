//! What could be opened of records: agents answer by letters, so that a request asks them and waits until no more of them say
//! anything new.

use super::views::{count, sections};
use crate::desk::DeskApi;
use crate::refusal::{field, of_desk, stopping};
use heatmark_desk::{Desk, OfferView};
use heatmark_escrow::{Clause, Price};
use heatmark_ledger::Hash;
use heatmark_proto::desk::v1 as pb;
use heatmark_records::RecordId;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

const MAX_RECORDS: usize = 32;
const MAX_WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long nothing new is to come before it is taken that nothing more does.
const QUIET: Duration = Duration::from_millis(1_200);

impl DeskApi {
    pub(super) async fn gather_offers(
        &self,
        desk: &Desk,
        request: pb::AskOffersRequest,
    ) -> Result<pb::AskOffersResponse, Status> {
        if !(1..=MAX_RECORDS).contains(&request.record_ids.len()) {
            return Err(field("ask about 1 to 32 records"));
        }
        let mut records = Vec::with_capacity(request.record_ids.len());
        for id in &request.record_ids {
            let record = Hash::try_from(id.as_slice());
            records.push(record.map_err(|_| field("a record id has 32 bytes"))?);
        }
        let wait = Duration::from_millis(request.wait_ms.into()).min(MAX_WAIT);
        let mut asked = 0;
        if !wait.is_zero() {
            for record in &records {
                asked = asked.max(self.in_time(desk.ask_offers(*record)).await?);
            }
        }
        let mut offers = known(desk, &records).await?;
        if asked > 0 {
            self.wait_for_offers(desk, &records, (wait, &mut offers)).await?;
        }
        Ok(pb::AskOffersResponse { offers, asked: count(asked) })
    }

    async fn wait_for_offers(
        &self,
        desk: &Desk,
        records: &[RecordId],
        (wait, offers): (Duration, &mut Vec<pb::Offer>),
    ) -> Result<(), Status> {
        let mut stop = self.node.stop.clone();
        let begun = Instant::now();
        let mut newest = begun;
        while begun.elapsed() < wait && (offers.is_empty() || newest.elapsed() < QUIET) {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
            }
            let now = known(desk, records).await?;
            if now != *offers {
                (*offers, newest) = (now, Instant::now());
            }
        }
        Ok(())
    }
}

/// What agents have said so far.
async fn known(desk: &Desk, records: &[RecordId]) -> Result<Vec<pb::Offer>, Status> {
    let mut offers: Vec<pb::Offer> = Vec::new();
    for record in records {
        for view in desk.offers(*record).await.map_err(of_desk)? {
            let manifest = view.manifest.digest().0;
            let clause = clause(&view.clause, view.manifest.quorum);
            match offers.iter_mut().find(|offer| offer.manifest == manifest) {
                Some(offer) => offer.clauses.push(clause),
                None => offers.push(offer(view, clause)),
            }
        }
    }
    Ok(offers)
}

fn offer(view: OfferView, clause: pb::OfferedClause) -> pb::Offer {
    let manifest = view.manifest;
    pb::Offer {
        manifest: manifest.digest().0.to_vec(),
        owner_name: view.owner,
        epoch: manifest.epoch,
        threshold: manifest.threshold,
        agents: count(manifest.agents.len()),
        sections: sections(&manifest),
        clauses: vec![clause],
        told_by: count(view.told_by),
        record_id: manifest.record,
        owner: manifest.owner,
    }
}

fn clause(clause: &Clause, quorum: u32) -> pb::OfferedClause {
    let (amount, premium, currency) = match clause.price() {
        Some(Price::Fixed { amount, currency }) => (amount, 0, currency),
        Some(Price::Premium { .. }) => (0, clause.premium, clause.currency.clone()),
        _ => (0, 0, String::new()),
    };
    pb::OfferedClause {
        name: clause.name.clone(),
        sections: clause.sections.clone(),
        amount,
        premium,
        currency,
        arbiters: clause.arbiters.clone(),
        agreement: clause.nda.clone(),
        purposes: clause.purposes.clone(),
        until_ms: clause.until_ms,
        by_hand: clause.by_hand,
        orders: if clause.order { quorum } else { 0 },
        retention_days: clause.retention_days,
        countries: clause.countries.clone(),
        standing: clause.standing.clone(),
    }
}
