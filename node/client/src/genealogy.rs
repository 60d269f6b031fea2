//! Genealogy and recalls of the own node. Refuses answers whose ids or places lead nowhere.

use crate::DeskClient;
use crate::desk::CALL_TIMEOUT;
use crate::error::ClientError;
use crate::ledger::timed;
use heatmark_proto::desk::v1 as desk;

pub use desk::affected_lots_request::By as AffectedBy;
pub use desk::{
    Affected, AffectedCustomer, OriginShare, Recall, RecallDrill, RecallHolder,
    ReportOriginResponse as OriginReport, SearchLotsResponse as FoundLots,
    ShowRecallResponse as RecallDetail, TracedLot, Whereabouts,
};

/// A trace.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Nearest first; the first is the one that was asked about.
    pub lots: Vec<TracedLot>,
    /// Places among them: the first is made into the second.
    pub edges: Vec<(usize, usize)>,
    /// How many lots there are in all.
    pub reached: u64,
}

impl DeskClient {
    /// What a lot is made of, or what was made of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn trace(&self, lot: String, down: bool, limit: u32) -> Result<Trace, ClientError> {
        let request = desk::TraceLotsRequest { lot, down, limit };
        let answer = self.service.clone().trace_lots(timed(request, CALL_TIMEOUT)).await?;
        let desk::TraceLotsResponse { lots, edges, reached } = answer.into_inner();
        let (pairs, rest) = edges.as_chunks::<2>();
        let place = |number: u32| usize::try_from(number).ok().filter(|at| *at < lots.len());
        let edges: Option<Vec<(usize, usize)>> =
            pairs.iter().map(|[from, to]| Some((place(*from)?, place(*to)?))).collect();
        match edges {
            Some(edges) if rest.is_empty() && !lots.is_empty() => {
                Ok(Trace { lots, edges, reached })
            }
            _ => Err(ClientError::WrongAnswer("a trace that leads nowhere")),
        }
    }

    /// What something affects.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn affected(&self, by: AffectedBy) -> Result<Affected, ClientError> {
        let request = desk::AffectedLotsRequest { by: Some(by) };
        let answer = self.service.clone().affected_lots(timed(request, CALL_TIMEOUT)).await?;
        whole(answer.into_inner().affected)
    }

    /// Lots, heats, dies and companies by a part of their names, at most `limit` of each.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn search(&self, text: String, limit: u32) -> Result<FoundLots, ClientError> {
        let request = desk::SearchLotsRequest { text, limit };
        let answer = self.service.clone().search_lots(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner())
    }

    /// Where stock comes from; of products that hold a text, or of all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn origin(&self, product: String) -> Result<OriginReport, ClientError> {
        let request = timed(desk::ReportOriginRequest { product }, CALL_TIMEOUT);
        Ok(self.service.clone().report_origin(request).await?.into_inner())
    }

    /// Alerts on what is known here.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn recalls(&self, all: bool) -> Result<Vec<Recall>, ClientError> {
        let request = timed(desk::ListRecallsRequest { all }, CALL_TIMEOUT);
        let recalls = self.service.clone().list_recalls(request).await?.into_inner().recalls;
        let sound = recalls.iter().all(|recall| recall.subject.len() == 32);
        if sound { Ok(recalls) } else { Err(ClientError::WrongAnswer("an alert on nothing")) }
    }

    /// One of them with its reach, by a beginning of its subject or record, or by its heat.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn recall(&self, named: String) -> Result<RecallDetail, ClientError> {
        let request = timed(desk::ShowRecallRequest { named }, CALL_TIMEOUT);
        let mut detail = self.service.clone().show_recall(request).await?.into_inner();
        if detail.recall.as_ref().is_none_or(|recall| recall.subject.len() != 32) {
            return Err(ClientError::WrongAnswer("an alert on nothing"));
        }
        detail.affected = Some(whole(detail.affected)?);
        Ok(detail)
    }

    /// Notes that customers were told of an alert.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn customers_told(
        &self,
        subject: Vec<u8>,
        told: Vec<Vec<u8>>,
    ) -> Result<(), ClientError> {
        let request = timed(desk::NoteRecallRequest { subject, told }, CALL_TIMEOUT);
        self.service.clone().note_recall(request).await?;
        Ok(())
    }

    /// Notes that a person took notice; gives the suppliers that are told what is left.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn acknowledge_recall(&self, named: String) -> Result<Vec<String>, ClientError> {
        let request = timed(desk::AcknowledgeRecallRequest { named }, CALL_TIMEOUT);
        Ok(self.service.clone().acknowledge_recall(request).await?.into_inner().told)
    }

    /// Plays recalls through on own data.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drill(&self) -> Result<Vec<RecallDrill>, ClientError> {
        let request = timed(desk::DrillRecallRequest {}, CALL_TIMEOUT);
        let drills = self.service.clone().drill_recall(request).await?.into_inner().drills;
        let checked = |drill: RecallDrill| {
            Ok(RecallDrill { affected: Some(whole(drill.affected)?), ..drill })
        };
        drills.into_iter().map(checked).collect()
    }
}

fn whole(affected: Option<Affected>) -> Result<Affected, ClientError> {
    let affected = affected.ok_or(ClientError::WrongAnswer("no answer to what is affected"))?;
    let count = affected.own.len();
    let leads = |places: &[u32]| {
        places.iter().all(|place| usize::try_from(*place).is_ok_and(|place| place < count))
    };
    let customers = affected.customers.iter();
    let sound = leads(&affected.stock)
        && customers.clone().all(|customer| leads(&customer.lots) && customer.member.len() == 32);
    if sound { Ok(affected) } else { Err(ClientError::WrongAnswer("lots that are not there")) }
}
