//! A node that lies: an honest service whose answers are changed on their way out. The client must
//! believe none of them.

use super::chain::{TestChain, anchor};
use super::{Server, start};
use crate::ApiLimits;
use futures::StreamExt as _;
use heatmark_client::tls::{self, Identity};
use heatmark_client::{ClientError, LedgerClient, ReceiptOf, Target};
use heatmark_ledger::ids::Height;
use heatmark_ledger::keys::PublicKey;
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
        _: Request<pb::GetHeaderRequest>,
    ) -> Result<Response<pb::GetHeaderResponse>, Status> {
        let receipt = self.receipt(0);
        let mut next = self.chain.genesis.validators().to_proto();
        if matches!(self.lie, Lie::NextSet) {
            next.validators[0].power += 1;
        }
        Ok(Response::new(pb::GetHeaderResponse {
            header: receipt.header,
            certificate: receipt.certificate,
            set_changes: Vec::new(),
            next: Some(next),
        }))
    }

    async fn stream_blocks(
        &self,
        _: Request<pb::StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let (sender, stream) = tokio::sync::mpsc::channel(4);
        let mut block = self.chain.store.certified_block(Height(1)).unwrap().unwrap();
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
        _: Request<pb::GetTileRequest>,
    ) -> Result<Response<pb::GetTileResponse>, Status> {
        Err(Status::unimplemented("not asked"))
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
    let trust = TrustRoot::from_genesis(&chain.genesis);
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
