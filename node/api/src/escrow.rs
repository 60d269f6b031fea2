//! The escrow service: the node's own people ask their desk to deposit, to open and to rule, and see how far it is. Refuses
//! other members' keys like the desk service, ids of wrong length, and more at once than a request may hold.

mod deals;
mod deposit;
mod documents;
mod due;
mod inspections;
mod offers;
mod views;
mod watch;

use crate::desk::DeskApi;
use crate::ledger::client_of;
use crate::refusal::{field, of_desk};
use documents::DocumentStream;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::DealRole;
use pb::escrow_service_server::EscrowService;
use tonic::{Request, Response, Status, Streaming};
use watch::DealStream;

#[tonic::async_trait]
impl EscrowService for DeskApi {
    type WatchDealStream = DealStream;
    type OpenedDocumentStream = DocumentStream;

    async fn deposit(
        &self,
        request: Request<Streaming<pb::DepositRequest>>,
    ) -> Result<Response<pb::DepositResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.take_deposit(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_deposits(
        &self,
        request: Request<pb::ListDepositsRequest>,
    ) -> Result<Response<pb::ListDepositsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let skip = views::skipped(request.into_inner().skip);
        let rows = desk.deposits_from(skip, views::READ).await.map_err(of_desk)?;
        let (deposits, more) = views::page(rows.into_iter().map(views::deposit));
        Ok(Response::new(pb::ListDepositsResponse { deposits, more }))
    }

    async fn list_due_deposits(
        &self,
        request: Request<pb::ListDueDepositsRequest>,
    ) -> Result<Response<pb::ListDueDepositsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let rows = desk.due_deposits().await.map_err(of_desk)?;
        let rows = rows.into_iter().map(due::view);
        let skip = views::skipped(request.into_inner().skip);
        let (deposits, more) = views::page(rows.skip(skip));
        Ok(Response::new(pb::ListDueDepositsResponse { deposits, more }))
    }

    async fn keep_document(
        &self,
        request: Request<Streaming<pb::KeepDocumentRequest>>,
    ) -> Result<Response<pb::KeepDocumentResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.take_document(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn tend_deposit(
        &self,
        request: Request<pb::TendDepositRequest>,
    ) -> Result<Response<pb::TendDepositResponse>, Status> {
        use pb::tend_deposit_request::What;
        let desk = self.desk_for(&request)?;
        let pb::TendDepositRequest { deposit, what } = request.into_inner();
        let deposit = id(&deposit)?;
        let count = |agents: usize| u32::try_from(agents).unwrap_or(u32::MAX);
        let (deposit, agents) = match what.ok_or_else(|| field("nothing is to be done"))? {
            What::Refresh(pb::RefreshDeposit { agents, threshold }) => {
                let agents = deposit::members(&agents)?;
                let asked = agents.len();
                (self.in_time(desk.refresh_deposit(deposit, agents, threshold)).await?, asked)
            }
            What::Drill(pb::DrillDeposit {}) => {
                (deposit, self.in_time(desk.drill_deposit(deposit)).await?)
            }
            What::Destroy(pb::DestroyDeposit {}) => {
                (deposit, self.in_time(desk.destroy_deposit(deposit)).await?)
            }
        };
        let (deposit, agents) = (deposit.to_vec(), count(agents));
        Ok(Response::new(pb::TendDepositResponse { deposit, agents }))
    }

    async fn list_holdings(
        &self,
        request: Request<pb::ListHoldingsRequest>,
    ) -> Result<Response<pb::ListHoldingsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let skip = views::skipped(request.into_inner().skip);
        let rows = desk.holdings_from(skip, views::READ).await.map_err(of_desk)?;
        let (holdings, more) = views::page(rows.into_iter().map(views::holding));
        Ok(Response::new(pb::ListHoldingsResponse { holdings, more }))
    }

    async fn ask_offers(
        &self,
        request: Request<pb::AskOffersRequest>,
    ) -> Result<Response<pb::AskOffersResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.gather_offers(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn sign_order(
        &self,
        request: Request<pb::SignOrderRequest>,
    ) -> Result<Response<pb::SignOrderResponse>, Status> {
        let desk = self.desk_for(&request)?;
        deals::order(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn open_deal(
        &self,
        request: Request<pb::OpenDealRequest>,
    ) -> Result<Response<pb::OpenDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let plan = deals::plan(request.into_inner())?;
        let deal = self.in_time(desk.open_deal(plan)).await?;
        Ok(Response::new(pb::OpenDealResponse { deal: deal.to_vec() }))
    }

    async fn list_deals(
        &self,
        request: Request<pb::ListDealsRequest>,
    ) -> Result<Response<pb::ListDealsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let skip = views::skipped(request.into_inner().skip);
        let rows = desk.deals_from(skip, views::READ).await.map_err(of_desk)?;
        let (deals, more) = views::page(rows.into_iter().map(views::deal));
        Ok(Response::new(pb::ListDealsResponse { deals, more }))
    }

    async fn show_deal(
        &self,
        request: Request<pb::ShowDealRequest>,
    ) -> Result<Response<pb::ShowDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let named = request.into_inner().deal;
        let hex = named.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if named.is_empty() || named.len() > 64 || !hex {
            return Err(field("a deal is named by 1 to 64 hex digits"));
        }
        let rows = desk.deal(named).await.map_err(of_desk)?;
        let deals = rows.into_iter().map(views::deal).collect();
        Ok(Response::new(pb::ShowDealResponse { deals }))
    }

    async fn watch_deal(
        &self,
        request: Request<pb::WatchDealRequest>,
    ) -> Result<Response<DealStream>, Status> {
        let desk = self.desk_for(&request)?;
        let client = client_of(&request)?;
        let deal = id(&request.into_inner().deal)?;
        self.watch(desk, &client, deal).await.map(Response::new)
    }

    async fn accept_deal(
        &self,
        request: Request<pb::AcceptDealRequest>,
    ) -> Result<Response<pb::AcceptDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        desk.agree_to_deal(deal, DealRole::Owner).await.map_err(of_desk)?;
        Ok(Response::new(pb::AcceptDealResponse {}))
    }

    async fn fund_deal(
        &self,
        request: Request<pb::FundDealRequest>,
    ) -> Result<Response<pb::FundDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        desk.agree_to_deal(deal, DealRole::Arbiter).await.map_err(of_desk)?;
        Ok(Response::new(pb::FundDealResponse {}))
    }

    async fn confirm_deal(
        &self,
        request: Request<pb::ConfirmDealRequest>,
    ) -> Result<Response<pb::ConfirmDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        desk.agree_to_deal(deal, DealRole::Buyer).await.map_err(of_desk)?;
        Ok(Response::new(pb::ConfirmDealResponse {}))
    }

    async fn dispute_deal(
        &self,
        request: Request<pb::DisputeDealRequest>,
    ) -> Result<Response<pb::DisputeDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        self.in_time(desk.dispute(deal)).await?;
        Ok(Response::new(pb::DisputeDealResponse {}))
    }

    async fn judge_claim(
        &self,
        request: Request<pb::JudgeClaimRequest>,
    ) -> Result<Response<pb::JudgeClaimResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        let found = self.in_time(desk.judge_claim(deal)).await?;
        let found = found.map(|(code, founded)| pb::ClaimFound { code, founded });
        Ok(Response::new(pb::JudgeClaimResponse { found }))
    }

    async fn rule_deal(
        &self,
        request: Request<pb::RuleDealRequest>,
    ) -> Result<Response<pb::RuleDealResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let pb::RuleDealRequest { deal, refund, reason } = request.into_inner();
        let deal = id(&deal)?;
        self.in_time(desk.rule(deal, refund, reason)).await?;
        Ok(Response::new(pb::RuleDealResponse {}))
    }

    async fn opened_sections(
        &self,
        request: Request<pb::OpenedSectionsRequest>,
    ) -> Result<Response<pb::OpenedSectionsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let deal = id(&request.into_inner().deal)?;
        let sections = desk.opened_sections(deal).await.map_err(of_desk)?;
        let sections = sections.into_iter().map(views::opened).collect();
        Ok(Response::new(pb::OpenedSectionsResponse { sections }))
    }

    async fn keep_inspection(
        &self,
        request: Request<pb::KeepInspectionRequest>,
    ) -> Result<Response<pb::KeepInspectionResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.keep(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_inspections(
        &self,
        request: Request<pb::ListInspectionsRequest>,
    ) -> Result<Response<pb::ListInspectionsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let rows = desk.inspections(String::new()).await.map_err(of_desk)?;
        let rows = rows.into_iter().map(inspections::view);
        let skip = views::skipped(request.into_inner().skip);
        let (inspections, more) = views::page(rows.skip(skip));
        Ok(Response::new(pb::ListInspectionsResponse { inspections, more }))
    }

    async fn show_inspection(
        &self,
        request: Request<pb::ShowInspectionRequest>,
    ) -> Result<Response<pb::ShowInspectionResponse>, Status> {
        let desk = self.desk_for(&request)?;
        inspections::show(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn opened_document(
        &self,
        request: Request<pb::OpenedDocumentRequest>,
    ) -> Result<Response<DocumentStream>, Status> {
        let desk = self.desk_for(&request)?;
        self.give_document(&desk, request.into_inner()).await.map(Response::new)
    }
}

/// An id of a deal.
fn id(bytes: &[u8]) -> Result<[u8; 32], Status> {
    bytes.try_into().map_err(|_| field("a deal's id has 32 bytes"))
}
