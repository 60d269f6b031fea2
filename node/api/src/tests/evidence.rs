//! A node that lies: an honest service whose answers are changed on their way out. The client must
//! believe none of them.

use super::chain::{TestChain, anchor};
use super::{Server, start};
use crate::ApiLimits;
use ed25519_dalek::SigningKey;
use futures::StreamExt as _;
use heatmark_client::tls::{self, Identity};
use heatmark_client::{ClientError, LedgerClient, ReceiptOf, Target};
use heatmark_ledger::certificate::{VoteKind, vote_preimage};
use heatmark_ledger::evidence::{Equivocation, Signed, Statement};
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round};
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::{LeafIndex, messages as pb, state};
use heatmark_proto::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

/// What is changed.
#[derive(Clone, Copy)]
enum Lie {
    None,
    ReceiptByte,
    ReceiptPath,
    ReceiptOfAnother,
    Certificate,
    HeaderTime,
    StateValue,
    StateAbsent,
    StateOfAnotherKey,
    NextSet,
    BlockWithoutTransactions,
    BlockTwice,
    EvidenceSignature,
    EvidenceOfAStranger,
    BlockWithAnotherTransaction,
    Tile,
    ShortTile,
    EmptySetChanges,
}

/// Answers from a store, changed.
struct Liar {
    chain: Arc<TestChain>,
    lie: Lie,
}

impl Liar {
    fn receipt(&self, leaf: u64) -> pb::Receipt {
        let leaf = if matches!(self.lie, Lie::ReceiptOfAnother) { 1 - leaf } else { leaf };
        let mut receipt = self.chain.store.receipt(LeafIndex(leaf), Height(0), None).unwrap();
        match self.lie {
            Lie::ReceiptByte => {
                let last = receipt.transaction.len() - 1;
                receipt.transaction[last] ^= 1;
            }
            Lie::ReceiptPath => receipt.inclusion_path.push(vec![0; 32]),
            Lie::Certificate => {
                receipt.certificate.as_mut().unwrap().signatures[0].signature[5] ^= 1;
            }
            Lie::HeaderTime => receipt.header.as_mut().unwrap().time_ms += 1,
            _ => {}
        }
        receipt
    }
}

#[tonic::async_trait]
impl LedgerService for Liar {
    type StreamBlocksStream = ReceiverStream<Result<pb::StreamBlocksResponse, Status>>;

    async fn submit(
        &self,
        _: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_receipt(
        &self,
        _: Request<pb::GetReceiptRequest>,
    ) -> Result<Response<pb::GetReceiptResponse>, Status> {
        Ok(Response::new(pb::GetReceiptResponse { receipt: Some(self.receipt(0)) }))
    }

    async fn get_status(
        &self,
        _: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let network = self.chain.genesis.network().to_vec();
        Ok(Response::new(pb::GetStatusResponse { network, ..Default::default() }))
    }

    async fn get_header(
        &self,
        request: Request<pb::GetHeaderRequest>,
    ) -> Result<Response<pb::GetHeaderResponse>, Status> {
        let mut receipt = self.receipt(0);
        let asked = Height(request.into_inner().height);
        if let Some((header, certificate)) = self.chain.store.header(asked).unwrap_or_default()
            && asked > Height(1)
        {
            receipt.header = Some(header.to_proto());
            receipt.certificate = Some(certificate.to_proto());
        }
        let mut next = self.chain.genesis.validators().to_proto();
        if matches!(self.lie, Lie::NextSet) {
            next.validators[0].power += 1;
        }
        Ok(Response::new(pb::GetHeaderResponse {
            header: receipt.header,
            certificate: receipt.certificate,
            set_changes: match self.lie {
                Lie::EmptySetChanges => vec![pb::SetChange::default(); 1_000_000],
                _ => Vec::new(),
            },
            next: Some(next),
        }))
    }

    async fn stream_blocks(
        &self,
        request: Request<pb::StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let (sender, stream) = tokio::sync::mpsc::channel(4);
        let from = Height(request.into_inner().from_height);
        let mut block = self.chain.store.certified_block(from).unwrap().unwrap();
        if matches!(self.lie, Lie::BlockWithAnotherTransaction) {
            let other = self.chain.signed(0, anchor(99), 99);
            block.block.as_mut().unwrap().transactions[0] = other;
        }
        if matches!(self.lie, Lie::BlockWithoutTransactions) {
            block.block.as_mut().unwrap().transactions.pop();
        }
        let block = pb::StreamBlocksResponse { block: Some(block), next: None, restart: None };
        sender.send(Ok(block.clone())).await.unwrap();
        if matches!(self.lie, Lie::BlockTwice) {
            sender.send(Ok(block)).await.unwrap();
        }
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_state(
        &self,
        request: Request<pb::GetStateRequest>,
    ) -> Result<Response<pb::GetStateResponse>, Status> {
        let mut key = request.into_inner().key;
        if matches!(self.lie, Lie::StateOfAnotherKey) {
            key = state::members_key();
        }
        let mut proof = self.chain.store.state_proof(&key, None, Height(0)).unwrap();
        match self.lie {
            Lie::StateValue => proof.value[3] ^= 1,
            Lie::StateAbsent => (proof.present, proof.value) = (false, Vec::new()),
            _ => {}
        }
        Ok(Response::new(pb::GetStateResponse { proof: Some(proof) }))
    }

    async fn list_members(
        &self,
        _: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_tile(
        &self,
        request: Request<pb::GetTileRequest>,
    ) -> Result<Response<pb::GetTileResponse>, Status> {
        let asked = request.into_inner();
        let (level, width) = (u8::try_from(asked.level).ok(), asked.width as u8);
        let mut tile = self.chain.store.tile(level, asked.index, width).unwrap().unwrap();
        match self.lie {
            Lie::Tile => tile[40] ^= 1,
            Lie::ShortTile => tile.truncate(33),
            _ => {}
        }
        Ok(Response::new(pb::GetTileResponse { tile }))
    }

    async fn list_evidence(
        &self,
        request: Request<pb::ListEvidenceRequest>,
    ) -> Result<Response<pb::ListEvidenceResponse>, Status> {
        let signer = match self.lie {
            Lie::EvidenceOfAStranger => SigningKey::from_bytes(&[9; 32]),
            _ => self.chain.consensus.clone(),
        };
        let one = twice(self.chain.genesis.network(), &signer, 1);
        let mut evidence = self.chain.store.portable_evidence(&one, Height(0)).unwrap();
        if matches!(self.lie, Lie::EvidenceSignature) {
            evidence.equivocation.as_mut().unwrap().signed[0].signature[5] ^= 1;
        }
        let first = request.get_ref().skip == 0;
        let evidence = if first { vec![evidence] } else { Vec::new() };
        Ok(Response::new(pb::ListEvidenceResponse { evidence, kept: 1 }))
    }
}

/// Two prevotes by a key at a height.
pub(super) fn twice(network: NetworkId, voter: &SigningKey, height: u64) -> Equivocation {
    let own = PublicKey::of(voter).to_bytes();
    let place = (Height(height), Round(0));
    let signed = [1, 2].map(|value| {
        let value = Some(HeaderHash::from([value; 32]));
        let bytes = vote_preimage(&network, VoteKind::Prevote, place, value.as_ref(), &own);
        let signature = sign(voter, &bytes).try_into().unwrap();
        Signed { value, lock_round: None, signature }
    });
    Equivocation::new(network, own, place, Statement::Prevote, signed).unwrap()
}

#[tokio::test]
async fn evidence_comes_whole_and_verified_to_any_member() {
    let server = start(3, ApiLimits::default()).await;
    let client = server.client(1).await;
    assert!(client.evidence().await.unwrap().is_empty());
    let chain = &server.chain;
    let network = chain.genesis.network();
    // More than fit a page.
    for height in 1..=40 {
        chain.produce(None);
        chain.store.keep_evidence(&twice(network, &chain.consensus, height)).unwrap();
    }
    let all = client.evidence().await.unwrap();
    let heights: Vec<u64> = all.iter().map(|one| one.verified.equivocation.height.0).collect();
    assert_eq!(heights, (1..=40).collect::<Vec<u64>>());
    assert!(all.iter().all(|one| one.verified.holder.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_evidence_that_proves_nothing() {
    let chain = chain_with_two_leaves().await;
    let client = lied_to(&chain, Lie::None).await;
    assert_eq!(client.evidence().await.unwrap().len(), 1);
    for lie in [Lie::EvidenceSignature, Lie::EvidenceOfAStranger] {
        let client = lied_to(&chain, lie).await;
        assert!(is_lie(client.evidence().await));
    }
}

struct Open;

impl tls::Registry for Open {
    fn member_of(
        &self,
        _: &PublicKey,
    ) -> Result<Option<heatmark_ledger::ids::MemberId>, heatmark_ledger::state::StateError> {
        Ok(Some([0; 32].into()))
    }
}

/// A client of a liar that serves the chain of `server`.
async fn lied_to(chain: &Arc<TestChain>, lie: Lie) -> LedgerClient {
    lied_to_from(chain, lie, TrustRoot::from_genesis(&chain.genesis)).await
}

async fn lied_to_from(chain: &Arc<TestChain>, lie: Lie, trust: TrustRoot) -> LedgerClient {
    let own = &chain.members[0];
    let identity = Identity::new(own.p2p.clone(), &own.id).unwrap();
    let config = tls::server_config(&identity, Arc::new(Open)).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target {
        address: listener.local_addr().unwrap().to_string(),
        server_key: PublicKey::of(&own.p2p),
    };
    let incoming = TcpListenerStream::new(listener).then(move |tcp| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(tcp?).await }
    });
    let liar = LedgerServiceServer::new(Liar { chain: Arc::clone(chain), lie });
    let served = tonic::transport::Server::builder().add_service(liar);
    tokio::spawn(served.serve_with_incoming(Box::pin(incoming)));
    LedgerClient::connect(&target, &identity, trust).await.unwrap()
}

async fn chain_with_two_leaves() -> Arc<TestChain> {
    let Server { chain, handle } = start(1, ApiLimits::default()).await;
    handle.shutdown().await;
    for nonce in [1, 2] {
        chain.intake.submit(chain.signed(0, anchor(nonce), nonce), chain.tip()).unwrap();
    }
    chain.produce(None);
    chain
}

fn is_lie<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> bool {
    answer.is_err_and(|error| error.is_lie())
}

#[tokio::test(flavor = "multi_thread")]
async fn client_believes_the_same_service_when_it_does_not_lie() {
    let chain = chain_with_two_leaves().await;
    let client = lied_to(&chain, Lie::None).await;
    client.receipt(ReceiptOf::Leaf(LeafIndex(0)), None).await.unwrap();
    client.header(None).await.unwrap();
    client.state(&state::members_key(), None).await.unwrap();
    client.blocks(Height(1), None, false).await.unwrap().next().await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_a_tampered_receipt_and_a_true_one_for_something_else() {
    let chain = chain_with_two_leaves().await;
    let lies = [
        Lie::ReceiptByte,
        Lie::ReceiptPath,
        Lie::ReceiptOfAnother,
        Lie::Certificate,
        Lie::HeaderTime,
    ];
    for lie in lies {
        let client = lied_to(&chain, lie).await;
        assert!(is_lie(client.receipt(ReceiptOf::Leaf(LeafIndex(0)), None).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_a_tampered_header_and_a_set_that_is_not_the_headers() {
    let chain = chain_with_two_leaves().await;
    for lie in [Lie::HeaderTime, Lie::Certificate, Lie::NextSet] {
        let client = lied_to(&chain, lie).await;
        assert!(is_lie(client.header(None).await));
    }
    let client = lied_to(&chain, Lie::None).await;
    assert!(is_lie(client.header(Some(Height(7))).await), "another height than asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_tampered_state_and_a_denied_key() {
    let chain = chain_with_two_leaves().await;
    for lie in [Lie::StateValue, Lie::StateAbsent, Lie::StateOfAnotherKey] {
        let client = lied_to(&chain, lie).await;
        let key = state::member_key(&chain.members[0].id);
        assert!(is_lie(client.state(&key, None).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_blocks_that_leave_out_or_repeat() {
    let chain = chain_with_two_leaves().await;
    let client = lied_to(&chain, Lie::BlockWithoutTransactions).await;
    let mut blocks = client.blocks(Height(1), None, false).await.unwrap();
    assert!(is_lie(blocks.next().await.unwrap()));
    assert!(blocks.next().await.is_none(), "nothing follows a lie");
    let client = lied_to(&chain, Lie::BlockTwice).await;
    let mut blocks = client.blocks(Height(1), None, false).await.unwrap();
    blocks.next().await.unwrap().unwrap();
    assert!(is_lie(blocks.next().await.unwrap()));
}

/// Five blocks: two leaves in the first, one in each of the others.
async fn chain_of_five() -> Arc<TestChain> {
    let chain = chain_with_two_leaves().await;
    for nonce in 3..=6 {
        chain.intake.submit(chain.signed(0, anchor(nonce), nonce), chain.tip()).unwrap();
        chain.produce(None);
    }
    chain
}

async fn first_block(client: &LedgerClient, from: u64) -> Result<Height, ClientError> {
    let mut blocks = client.blocks(Height(from), None, false).await?;
    blocks.next().await.unwrap().map(|block| block.header.height)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_roots_are_computed_again_from_any_height_on() {
    let chain = chain_of_five().await;
    let honest = lied_to(&chain, Lie::None).await;
    let liar = lied_to(&chain, Lie::BlockWithAnotherTransaction).await;
    for from in 1..=5 {
        assert_eq!(first_block(&honest, from).await.unwrap(), Height(from));
        // As many transactions, a true header and certificate, and one leaf that is another.
        assert!(is_lie(first_block(&liar, from).await), "from {from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_roots_are_computed_again_after_a_pinned_header() {
    let chain = chain_of_five().await;
    let honest = lied_to(&chain, Lie::None).await;
    let pinned = honest.header(Some(Height(3))).await.unwrap().pin().unwrap();
    let trust = TrustRoot::from_pinned(&pinned).unwrap();
    for (lie, is_true) in [(Lie::None, true), (Lie::BlockWithAnotherTransaction, false)] {
        let client = lied_to_from(&chain, lie, trust.clone()).await;
        for from in [4, 5] {
            assert_eq!(first_block(&client, from).await.is_ok(), is_true, "from {from}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_an_edge_that_is_not_the_logs() {
    let chain = chain_of_five().await;
    for lie in [Lie::Tile, Lie::ShortTile] {
        let client = lied_to(&chain, lie).await;
        assert!(is_lie(first_block(&client, 3).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_refuses_an_answer_of_empty_parts_before_it_takes_a_hundred_times_their_length() {
    let chain = chain_with_two_leaves().await;
    let client = lied_to(&chain, Lie::EmptySetChanges).await;
    let error = client.header(None).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongAnswer(_)), "{error:?}");
}
