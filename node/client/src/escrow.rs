//! Deposits and deals of the own node. Refuses rows without their ids, and documents that are not whole.

use crate::DeskClient;
use crate::desk::{CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::error::ClientError;
use crate::ledger::timed;
use desk::deposit_request::Part;
use desk::opened_document_response::Part as Opened;
pub use desk::tend_deposit_request::What as Tending;
pub use desk::{
    AskOffersResponse, ClaimFound, DealLengths, DealPart, DealRuling, DealView, DepositAgentView,
    DepositSection, DepositStart, DepositView, DestroyDeposit, DocumentView, DrillDeposit,
    HoldingView, Offer, OfferedClause, OpenDealRequest, OpenedSection, RefreshDeposit, SectionView,
    SignOrderRequest, SignOrderResponse,
};
use futures::stream::{self, StreamExt as _};
use heatmark_proto::desk::v1 as desk;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// Bytes of a document in one message.
const PIECE_BYTES: usize = 1 << 20;
/// How long a deposit may take to be sent and encrypted.
const DEPOSIT_TIMEOUT: Duration = Duration::from_secs(900);
/// Beyond the longest wait for agents.
const OFFERS_TIMEOUT: Duration = Duration::from_secs(60);

/// A document that is deposited with a section.
#[derive(Debug, Clone)]
pub struct DepositFile {
    /// The section's name.
    pub section: String,
    /// For people.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A deal as it is watched.
#[derive(Debug)]
pub struct DealWatch {
    answers: tonic::Streaming<desk::WatchDealResponse>,
}

impl DealWatch {
    /// The deal as it is next, in every part that this organisation has in it; none when the node ends the watch.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn next(&mut self) -> Result<Option<Vec<DealView>>, ClientError> {
        match self.answers.message().await? {
            Some(answer) => whole(answer.deals).map(Some),
            None => Ok(None),
        }
    }
}

impl DeskClient {
    /// Shares a deposit anew, drills or destroys it; gives the deposit, a new one where it was shared anew, and how many agents
    /// were asked.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tend_deposit(
        &self,
        deposit: [u8; 32],
        what: Tending,
    ) -> Result<([u8; 32], u32), ClientError> {
        let request = desk::TendDepositRequest { deposit: deposit.to_vec(), what: Some(what) };
        let answer = self.escrow.clone().tend_deposit(timed(request, COMMIT_TIMEOUT)).await?;
        let answer = answer.into_inner();
        Ok((id(answer.deposit)?, answer.agents))
    }

    /// Deposits sections of an own record; gives the deposit's id.
    ///
    /// # Errors
    /// See [`ClientError`]. After [`ClientError::Deadline`] ask for the deposits before doing it again.
    pub async fn deposit(
        &self,
        start: DepositStart,
        files: Vec<DepositFile>,
    ) -> Result<[u8; 32], ClientError> {
        let parts = files.into_iter().flat_map(|file| {
            let document = desk::DepositDocument {
                section: file.section,
                name: file.name,
                bytes: u64::try_from(file.content.len()).unwrap_or(u64::MAX),
            };
            let pieces: Vec<Part> =
                file.content.chunks(PIECE_BYTES).map(|piece| Part::Piece(piece.to_vec())).collect();
            std::iter::once(Part::Document(document)).chain(pieces)
        });
        let parts = stream::iter(std::iter::once(Part::Start(start)).chain(parts));
        let requests = parts.map(|part| desk::DepositRequest { part: Some(part) });
        let answer = self.escrow.clone().deposit(timed(requests, DEPOSIT_TIMEOUT)).await?;
        id(answer.into_inner().deposit)
    }

    /// Own deposits, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn deposits(&self) -> Result<Vec<DepositView>, ClientError> {
        let mut all = Vec::new();
        loop {
            let request = desk::ListDepositsRequest { skip: count(all.len())? };
            let answer = self.escrow.clone().list_deposits(timed(request, CALL_TIMEOUT)).await?;
            let page = answer.into_inner();
            let more = page.more && !page.deposits.is_empty();
            all.extend(page.deposits);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Deposits of others that the node holds shares of.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn holdings(&self) -> Result<Vec<HoldingView>, ClientError> {
        let mut all = Vec::new();
        loop {
            let request = desk::ListHoldingsRequest { skip: count(all.len())? };
            let answer = self.escrow.clone().list_holdings(timed(request, CALL_TIMEOUT)).await?;
            let page = answer.into_inner();
            let more = page.more && !page.holdings.is_empty();
            all.extend(page.holdings);
            if !more {
                return Ok(all);
            }
        }
    }

    /// What could be opened of records, at most 32 of them; agents are waited for as long as `wait` at most, and nobody is
    /// asked where it is zero.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ask_offers(
        &self,
        records: &[[u8; 32]],
        wait: Duration,
    ) -> Result<AskOffersResponse, ClientError> {
        let request = desk::AskOffersRequest {
            record_ids: records.iter().map(|record| record.to_vec()).collect(),
            wait_ms: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        };
        let answer = self.escrow.clone().ask_offers(timed(request, OFFERS_TIMEOUT)).await?;
        let answer = answer.into_inner();
        let asked = |offer: &Offer| records.iter().any(|record| offer.record_id == record);
        if answer.offers.iter().all(asked) {
            Ok(answer)
        } else {
            Err(ClientError::WrongAnswer("an offer of another record"))
        }
    }

    /// Has an order signed, as a regulator.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn sign_order(
        &self,
        request: SignOrderRequest,
    ) -> Result<SignOrderResponse, ClientError> {
        let answer = self.escrow.clone().sign_order(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner())
    }

    /// Begins a deal; gives its id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn open_deal(&self, request: OpenDealRequest) -> Result<[u8; 32], ClientError> {
        let answer = self.escrow.clone().open_deal(timed(request, COMMIT_TIMEOUT)).await?;
        id(answer.into_inner().deal)
    }

    /// Deals in which this organisation has a part, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn deals(&self) -> Result<Vec<DealView>, ClientError> {
        let mut all = Vec::new();
        loop {
            let request = desk::ListDealsRequest { skip: count(all.len())? };
            let answer = self.escrow.clone().list_deals(timed(request, CALL_TIMEOUT)).await?;
            let page = answer.into_inner();
            let more = page.more && !page.deals.is_empty();
            all.extend(page.deals);
            if !more {
                return whole(all);
            }
        }
    }

    /// One deal by the beginning of its id in hex, in every part that this organisation has in it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn deal(&self, named: String) -> Result<Vec<DealView>, ClientError> {
        let request = timed(desk::ShowDealRequest { deal: named }, CALL_TIMEOUT);
        let deals = whole(self.escrow.clone().show_deal(request).await?.into_inner().deals)?;
        let [first, rest @ ..] = deals.as_slice() else {
            return Err(ClientError::WrongAnswer("no deal and no refusal"));
        };
        if rest.iter().any(|deal| deal.deal != first.deal) {
            return Err(ClientError::WrongAnswer("several deals for one"));
        }
        Ok(deals)
    }

    /// A deal now and whenever it changes.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn watch_deal(&self, deal: [u8; 32]) -> Result<DealWatch, ClientError> {
        let request = desk::WatchDealRequest { deal: deal.to_vec() };
        let answers = self.escrow.clone().watch_deal(request).await?.into_inner();
        Ok(DealWatch { answers })
    }

    /// Accepts a deal as its owner.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn accept_deal(&self, deal: [u8; 32]) -> Result<(), ClientError> {
        let request = timed(desk::AcceptDealRequest { deal: deal.to_vec() }, CALL_TIMEOUT);
        self.escrow.clone().accept_deal(request).await?;
        Ok(())
    }

    /// Says as the arbiter that what is paid is held.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn fund_deal(&self, deal: [u8; 32]) -> Result<(), ClientError> {
        let request = timed(desk::FundDealRequest { deal: deal.to_vec() }, CALL_TIMEOUT);
        self.escrow.clone().fund_deal(request).await?;
        Ok(())
    }

    /// Confirms a deal as its buyer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn confirm_deal(&self, deal: [u8; 32]) -> Result<(), ClientError> {
        let request = timed(desk::ConfirmDealRequest { deal: deal.to_vec() }, CALL_TIMEOUT);
        self.escrow.clone().confirm_deal(request).await?;
        Ok(())
    }

    /// Disputes a deal as its buyer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn dispute_deal(&self, deal: [u8; 32]) -> Result<(), ClientError> {
        let request = timed(desk::DisputeDealRequest { deal: deal.to_vec() }, COMMIT_TIMEOUT);
        self.escrow.clone().dispute_deal(request).await?;
        Ok(())
    }

    /// What a buyer's claim comes to; none while ciphertext is missing.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn judge_claim(&self, deal: [u8; 32]) -> Result<Option<ClaimFound>, ClientError> {
        let request = timed(desk::JudgeClaimRequest { deal: deal.to_vec() }, COMMIT_TIMEOUT);
        Ok(self.escrow.clone().judge_claim(request).await?.into_inner().found)
    }

    /// Rules a dispute as the arbiter: for the buyer, or else for the owner.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rule_deal(
        &self,
        deal: [u8; 32],
        refund: bool,
        reason: String,
    ) -> Result<(), ClientError> {
        let request = desk::RuleDealRequest { deal: deal.to_vec(), refund, reason };
        self.escrow.clone().rule_deal(timed(request, COMMIT_TIMEOUT)).await?;
        Ok(())
    }

    /// The sections that a deal opened to this organisation.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn opened_sections(&self, deal: [u8; 32]) -> Result<Vec<OpenedSection>, ClientError> {
        let request = timed(desk::OpenedSectionsRequest { deal: deal.to_vec() }, CALL_TIMEOUT);
        Ok(self.escrow.clone().opened_sections(request).await?.into_inner().sections)
    }

    /// A document that a deal opened; `take` is given its bytes as they come. Gives its length.
    ///
    /// # Errors
    /// See [`ClientError`], and what `take` gives. What was taken before an error is no document.
    pub async fn opened_document<E: From<ClientError>>(
        &self,
        deal: [u8; 32],
        (section, name): (String, String),
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let request = desk::OpenedDocumentRequest { deal: deal.to_vec(), section, name };
        let answers = self.escrow.clone().opened_document(request).await;
        let mut answers = answers.map_err(ClientError::from)?.into_inner();
        let (mut bytes, mut hasher) = (0_u64, Sha256::new());
        while let Some(answer) = answers.message().await.map_err(ClientError::from)? {
            match answer.part {
                Some(Opened::Piece(piece)) => {
                    bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    hasher.update(&piece);
                    take(&piece)?;
                }
                Some(Opened::End(end))
                    if end.bytes == bytes && end.sha256 == hasher.clone().finalize().as_slice() =>
                {
                    return Ok(bytes);
                }
                _ => break,
            }
        }
        Err(ClientError::WrongAnswer("a document without its end").into())
    }
}

fn id(bytes: Vec<u8>) -> Result<[u8; 32], ClientError> {
    bytes.try_into().map_err(|_| ClientError::WrongAnswer("an id of wrong length"))
}

fn count(rows: usize) -> Result<u32, ClientError> {
    u32::try_from(rows).map_err(|_| ClientError::WrongAnswer("more rows than there can be"))
}

fn whole(deals: Vec<DealView>) -> Result<Vec<DealView>, ClientError> {
    if deals.iter().all(|deal| deal.deal.len() == 32) {
        Ok(deals)
    } else {
        Err(ClientError::WrongAnswer("a deal without its id"))
    }
}
