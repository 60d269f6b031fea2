//! Inspections that the own node keeps and runs again for deals.

use crate::DeskClient;
use crate::desk::{CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::error::ClientError;
use crate::ledger::timed;
pub use desk::delivered_goods::What as Delivered;
pub use desk::{DealInspection, DeliveredGoods, InspectionGiven, InspectionView, NamedFile};
use heatmark_proto::desk::v1 as desk;

/// An inspection with what it came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownInspection {
    /// The inspection.
    pub view: InspectionView,
    /// What it came to, as `heatmark inspect --json` gives it; empty once destroyed.
    pub json: String,
    /// The same for people.
    pub text: String,
}

impl DeskClient {
    /// Has the node run an inspection and keep it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn keep_inspection(
        &self,
        given: InspectionGiven,
    ) -> Result<InspectionView, ClientError> {
        let request = desk::KeepInspectionRequest { given: Some(given) };
        let answer = self.escrow.clone().keep_inspection(timed(request, COMMIT_TIMEOUT)).await?;
        whole(answer.into_inner().inspection)
    }

    /// Inspections that the node keeps, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn inspections(&self) -> Result<Vec<InspectionView>, ClientError> {
        let mut all: Vec<InspectionView> = Vec::new();
        loop {
            let skip = u32::try_from(all.len());
            let skip = skip.map_err(|_| ClientError::WrongAnswer("more rows than there can be"))?;
            let request = timed(desk::ListInspectionsRequest { skip }, CALL_TIMEOUT);
            let page = self.escrow.clone().list_inspections(request).await?.into_inner();
            let more = page.more && !page.inspections.is_empty();
            for row in page.inspections {
                all.push(whole(Some(row))?);
            }
            if !more {
                return Ok(all);
            }
        }
    }

    /// One of them by the beginning of its id in hex, with what it came to.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn inspection(&self, named: String) -> Result<ShownInspection, ClientError> {
        let request = timed(desk::ShowInspectionRequest { inspection: named }, CALL_TIMEOUT);
        let answer = self.escrow.clone().show_inspection(request).await?.into_inner();
        let (json, text) = (answer.json, answer.text);
        Ok(ShownInspection { view: whole(answer.inspection)?, json, text })
    }
}

fn whole(view: Option<InspectionView>) -> Result<InspectionView, ClientError> {
    let fits = |bytes: &[u8]| bytes.is_empty() || bytes.len() == 32;
    let view = view.filter(|view| {
        view.inspection.len() == 32
            && fits(&view.before)
            && fits(&view.deal)
            && matches!(view.verdict.as_str(), "accept" | "hold" | "reject")
    });
    view.ok_or(ClientError::WrongAnswer("an inspection without its id or verdict"))
}
