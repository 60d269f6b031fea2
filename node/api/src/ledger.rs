//! The ledger service: transactions in through the one door, evidence out of the store. Refuses
//! what the door refuses, and asks for what is not there yet.

mod blocks;
mod evidence;
mod submit;

use crate::accept::Client;
use crate::refusal::{field, not_found, of_state, of_store, refuse};
use crate::server::Node;
use blocks::BlockStream;
use heatmark_client::tls::PeerIdentity;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{Height, TransactionId};
use heatmark_ledger::{messages as pb, state};
use pb::get_receipt_request::Transaction;
use pb::ledger_service_server::LedgerService;
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

/// Longest key of the state map that is looked up, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// How often the registry is read again when a block came in between.
const READS_TRIED: usize = 4;
/// Highest level of a tile that a log of 2^64 leaves has.
const MAX_TILE_LEVEL: i32 = 7;

/// The service over a node.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) node: Arc<Node>,
}

#[tonic::async_trait]
impl LedgerService for Ledger {
    type StreamBlocksStream = BlockStream;

    async fn submit(
        &self,
        request: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        let client = client_of(&request)?;
        let share = client.flow.share();
        share.may_submit()?;
        self.submit_transaction(request.into_inner(), share).await.map(Response::new)
    }

    async fn get_receipt(
        &self,
        request: Request<pb::GetReceiptRequest>,
    ) -> Result<Response<pb::GetReceiptResponse>, Status> {
        let request = request.into_inner();
        let leaf = match request.transaction {
            None => return Err(field("name a transaction by its id or its leaf")),
            Some(Transaction::LeafIndex(leaf)) => LeafIndex(leaf),
            Some(Transaction::TransactionId(id)) => {
                let id = TransactionId::try_from(id.as_slice())
                    .map_err(|_| field("a transaction id has 32 bytes"))?;
                self.leaf_of(&id)?
            }
        };
        let (trusted, at) = (Height(request.trusted_height), height(request.at_height));
        let store = self.node.store.clone();
        let receipt = self.node.read(move || store.receipt(leaf, trusted, at)).await?;
        Ok(Response::new(pb::GetReceiptResponse { receipt: Some(receipt) }))
    }

    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let node = &self.node;
        let (tip, peers) = (node.store.tip(), (node.peers)());
        let pool = node.intake.mempool();
        Ok(Response::new(pb::GetStatusResponse {
            network: node.store.network().to_vec(),
            member: node.member.to_vec(),
            moniker: node.moniker.clone(),
            validator: node
                .validator_key
                .is_some_and(|key| tip.next_validators.position(&key.to_bytes()).is_some()),
            newest: tip.header.map(|header| header.to_proto()),
            mempool_transactions: u64::try_from(pool.len()).unwrap_or(u64::MAX),
            mempool_bytes: u64::try_from(pool.bytes()).unwrap_or(u64::MAX),
            exchange_peers: peers.exchange_peers,
            consensus_peers: peers.consensus_peers,
            best_known_height: peers.best_known_height.max(tip.height.0),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
        }))
    }

    async fn get_header(
        &self,
        request: Request<pb::GetHeaderRequest>,
    ) -> Result<Response<pb::GetHeaderResponse>, Status> {
        let request = request.into_inner();
        let store = self.node.store.clone();
        let answer = self.node.read(move || {
            let height = height(request.height).unwrap_or_else(|| store.tip().height);
            let Some((header, certificate)) = store.header(height)? else { return Ok(None) };
            Ok(Some(pb::GetHeaderResponse {
                header: Some(header.to_proto()),
                certificate: Some(certificate.to_proto()),
                set_changes: store.set_changes(Height(request.trusted_height), height)?,
                next: store.named_next(height)?.map(|set| set.to_proto()),
            }))
        });
        let answer = answer.await?;
        answer.map(Response::new).ok_or_else(|| not_found("not-available", "no such header yet"))
    }

    async fn stream_blocks(
        &self,
        request: Request<pb::StreamBlocksRequest>,
    ) -> Result<Response<BlockStream>, Status> {
        let client = client_of(&request)?;
        self.blocks(request.into_inner(), &client).map(Response::new)
    }

    async fn get_state(
        &self,
        request: Request<pb::GetStateRequest>,
    ) -> Result<Response<pb::GetStateResponse>, Status> {
        let request = request.into_inner();
        if request.key.is_empty() || request.key.len() > MAX_KEY_BYTES {
            return Err(field("a state key has 1 to 256 bytes"));
        }
        let (at, trusted) = (height(request.height), Height(request.trusted_height));
        let store = self.node.store.clone();
        let proof = self.node.read(move || store.state_proof(&request.key, at, trusted)).await?;
        Ok(Response::new(pb::GetStateResponse { proof: Some(proof) }))
    }

    async fn list_members(
        &self,
        _request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let ledger = self.clone();
        let listed = tokio::task::spawn_blocking(move || ledger.members());
        listed.await.map_err(|_| crate::refusal::stopping())?.map(Response::new)
    }

    async fn get_tile(
        &self,
        request: Request<pb::GetTileRequest>,
    ) -> Result<Response<pb::GetTileResponse>, Status> {
        let request = request.into_inner();
        let level = match request.level {
            -1 => None,
            level @ 0..=MAX_TILE_LEVEL => u8::try_from(level).ok(),
            _ => return Err(field("a tile level is 0 to 7, or -1 for an entry bundle")),
        };
        let width = u8::try_from(request.width).map_err(|_| field("a tile width is 0 to 255"))?;
        let store = self.node.store.clone();
        let tile = self.node.read(move || store.tile(level, request.index, width)).await?;
        let tile =
            tile.ok_or_else(|| not_found("not-available", "the log has no such tile yet"))?;
        Ok(Response::new(pb::GetTileResponse { tile }))
    }

    async fn list_evidence(
        &self,
        request: Request<pb::ListEvidenceRequest>,
    ) -> Result<Response<pb::ListEvidenceResponse>, Status> {
        let store = self.node.store.clone();
        let page = self.node.read(move || evidence::page(&store, request.get_ref())).await?;
        Ok(Response::new(page))
    }
}

impl Ledger {
    fn leaf_of(&self, id: &TransactionId) -> Result<LeafIndex, Status> {
        // Looked for in the pool first: between the two it can only move to the log.
        let waits = self.node.intake.mempool().contains(id);
        match self.node.store.find(id).map_err(of_store)? {
            Some(leaf) => Ok(leaf),
            None if waits => Err(not_found("pending", "the transaction waits for a block")),
            None => Err(not_found("unknown-transaction", "no such transaction on the log")),
        }
    }

    fn members(&self) -> Result<pb::ListMembersResponse, Status> {
        let store = &self.node.store;
        for _ in 0..READS_TRIED {
            let before = store.tip().height;
            let ids = state::members(store).map_err(of_state)?;
            let mut members = Vec::with_capacity(ids.len());
            for id in ids {
                let state = state::member(store, &id).map_err(of_state)?;
                members.push(pb::MemberRow { member: id.to_vec(), state });
            }
            if store.tip().height == before {
                return Ok(pb::ListMembersResponse { members, height: before.0 });
            }
        }
        let message = "the log moved on while the registry was read; ask again";
        Err(refuse(Code::Aborted, "moved-on", message))
    }
}

/// 0 stands for none.
fn height(number: u64) -> Option<Height> {
    (number != 0).then_some(Height(number))
}

pub(crate) fn client_of<T>(request: &Request<T>) -> Result<Client, Status> {
    let client = request.extensions().get::<Client>().cloned();
    client.ok_or_else(|| refuse(Code::Unauthenticated, "not-admitted", "who are you?"))
}

pub(crate) fn identity_of<T>(request: &Request<T>) -> Result<PeerIdentity, Status> {
    let identity = request.extensions().get::<PeerIdentity>().copied();
    identity.ok_or_else(|| refuse(Code::Unauthenticated, "not-admitted", "who are you?"))
}
