//! The ledger service of a node, every answer verified against a trust root where it can be.
//! Refuses evidence that does not verify, and true evidence about something else than was asked.

use crate::blocks::BlockVerifier;
use crate::certified::CertifiedHeaders;
use crate::connection::{self, Target};
use crate::error::ClientError;
use crate::tls::Identity;
use crate::{MAX_ANSWER_BYTES, VerifiedBlock};
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use heatmark_ledger::evidence;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height, KeyId, MemberId, TransactionId};
use heatmark_ledger::receipt::{
    self, CertifiedHeader, ReceiptError, TrustRoot, Verified, VerifiedState,
};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::wire::{self, MAX_BLOCK_BYTES, MAX_RECEIPT_BYTES, WireError};
use heatmark_ledger::{LeafIndex, TreeSize, messages as pb, state, transaction};
use heatmark_merkle::tiles::{self, MemoryTiles, TileId};
use heatmark_merkle::tree::Frontier;
use pb::ledger_service_client::LedgerServiceClient;
use prost::bytes::Bytes;
use std::time::Duration;
use tonic::Request;
use tonic::transport::Channel;

/// How long an ordinary answer may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Most pieces of evidence that are taken from a node.
const MAX_EVIDENCE: usize = 10_000;
/// Bits of an index that say where something stands in its tile.
const EDGE_BITS: u32 = 8;
const HASH_BYTES: usize = 32;

/// Most of an answer, in bytes: what a receipt may have, and what stands around it.
const MAX_EVIDENCE_BYTES: usize = MAX_RECEIPT_BYTES + (1 << 10);
/// Most of a block in an answer, in bytes, with its certificate and the next set.
const MAX_BLOCK_ANSWER_BYTES: usize = MAX_BLOCK_BYTES + (1 << 20);

/// How many members are proved at once.
const PARALLEL_PROOFS: usize = 16;

/// A receipt that verified, with what it says.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The evidence, to keep and to hand on.
    pub receipt: pb::Receipt,
    /// What it proves.
    pub verified: Verified,
}

/// Evidence that verified, with what it says.
#[derive(Debug, Clone)]
pub struct Accusation {
    /// The evidence, to keep and to hand on.
    pub evidence: pb::Evidence,
    /// What it proves.
    pub verified: evidence::Verified,
}

/// What a receipt is asked for by.
#[derive(Debug, Clone, Copy)]
pub enum ReceiptOf {
    /// A transaction's id.
    Transaction(TransactionId),
    /// A place on the log.
    Leaf(LeafIndex),
}

/// A certified header with the set that certifies the next height.
#[derive(Debug, Clone)]
pub struct VerifiedHeader {
    /// The header.
    pub header: Header,
    /// The precommits that decided it.
    pub certificate: pb::CommitCertificate,
    /// The validators of the next height, as the header names them.
    pub next: ValidatorSet,
    /// The era in which it was certified.
    pub era: Era,
    /// The changes of the set and restarts that lead to it from the trust root.
    pub set_changes: Vec<pb::SetChange>,
}

impl VerifiedHeader {
    /// The bytes of a `TrustedHeader`, to keep and start from another time.
    ///
    /// # Errors
    /// Never for a header from this client; the type is that of pinning.
    pub fn pin(&self) -> Result<Vec<u8>, ReceiptError> {
        TrustRoot::pin(&self.header, &self.next, &self.era)
    }
}

/// A connection to a node's ledger service. Clones share the connection.
#[derive(Debug, Clone)]
pub struct LedgerClient {
    service: LedgerServiceClient<Channel>,
    trust: TrustRoot,
    certified: CertifiedHeaders,
}

impl LedgerClient {
    /// Connects, and asks for the node's status, so that a refusal shows here and not later.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::OtherNetwork`] when the trust root is another network's.
    pub async fn connect(
        target: &Target,
        identity: &Identity,
        trust: TrustRoot,
    ) -> Result<Self, ClientError> {
        Self::connect_knowing(target, identity, trust, CertifiedHeaders::default()).await
    }

    /// A further connection, to the same node or another, that starts from the same trust root and
    /// shares what this one has verified.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_another(
        &self,
        target: &Target,
        identity: &Identity,
    ) -> Result<Self, ClientError> {
        Self::connect_knowing(target, identity, self.trust.clone(), self.certified.clone()).await
    }

    async fn connect_knowing(
        target: &Target,
        identity: &Identity,
        trust: TrustRoot,
        certified: CertifiedHeaders,
    ) -> Result<Self, ClientError> {
        let channel = connection::open(target, identity).await?;
        let service = LedgerServiceClient::new(channel)
            .max_decoding_message_size(MAX_EVIDENCE_BYTES)
            .max_encoding_message_size(MAX_EVIDENCE_BYTES);
        let client = Self { service, trust, certified };
        let status = client.status().await?;
        if status.network != client.trust.network.to_vec() {
            return Err(ClientError::OtherNetwork);
        }
        Ok(client)
    }

    /// What answers are verified against.
    #[must_use]
    pub fn trust(&self) -> &TrustRoot {
        &self.trust
    }

    /// Submits a signed envelope and does not wait for it to be committed.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the ledger's refusal code, and see [`ClientError`].
    pub async fn submit(&self, envelope: Bytes) -> Result<TransactionId, ClientError> {
        let id = self.id_of(&envelope)?;
        let request = self.submission(&envelope, false);
        let answer = self.service.clone().submit(timed(request, CALL_TIMEOUT)).await?.into_inner();
        expect_id(&answer.transaction_id, &id)?;
        Ok(id)
    }

    /// Submits a signed envelope and waits until it is committed, `limit` at most.
    ///
    /// # Errors
    /// [`ClientError::Deadline`], or refused with `pending`, when it was not committed in time: it
    /// may yet be, ask for its receipt. Else as [`Self::submit`] and [`Self::receipt`].
    pub async fn submit_and_wait(
        &self,
        envelope: Bytes,
        limit: Duration,
    ) -> Result<Proven, ClientError> {
        let id = self.id_of(&envelope)?;
        let request = self.submission(&envelope, true);
        let answer = self.service.clone().submit(timed(request, limit)).await?.into_inner();
        expect_id(&answer.transaction_id, &id)?;
        let receipt = answer.receipt.ok_or(ClientError::WrongAnswer("no receipt"))?;
        self.prove(receipt, ReceiptOf::Transaction(id))
    }

    /// A verified receipt, against the header of height `at`, or the earliest one that serves.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::is_not_found`] when it does not stand on the log.
    pub async fn receipt(&self, of: ReceiptOf, at: Option<Height>) -> Result<Proven, ClientError> {
        use pb::get_receipt_request::Transaction;
        let transaction = match of {
            ReceiptOf::Transaction(id) => Transaction::TransactionId(id.to_vec()),
            ReceiptOf::Leaf(index) => Transaction::LeafIndex(index.0),
        };
        let request = pb::GetReceiptRequest {
            transaction: Some(transaction),
            trusted_height: self.trust.height.0,
            at_height: at.map_or(0, |height| height.0),
        };
        let answer = self.service.clone().get_receipt(timed(request, CALL_TIMEOUT)).await?;
        let receipt = answer.into_inner().receipt.ok_or(ClientError::WrongAnswer("no receipt"))?;
        let proven = self.prove(receipt, of)?;
        match at {
            Some(height) if proven.verified.header.height != height => {
                Err(ClientError::WrongAnswer("a receipt against another header"))
            }
            _ => Ok(proven),
        }
    }

    /// The newest header, or that of a height, with the set of the next height.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::is_not_found`] when there is none yet.
    pub async fn header(&self, height: Option<Height>) -> Result<VerifiedHeader, ClientError> {
        let request = pb::GetHeaderRequest {
            height: height.map_or(0, |height| height.0),
            trusted_height: self.trust.height.0,
        };
        let answer = self.service.clone().get_header(timed(request, CALL_TIMEOUT)).await?;
        let answer = answer.into_inner();
        let certified = CertifiedHeader::from_proto(
            answer.header.as_ref(),
            answer.certificate.as_ref(),
            &answer.set_changes,
        )?;
        let era = self.trust.verify_header(&certified)?;
        let header = certified.header;
        let certificate = answer.certificate.unwrap_or_default();
        let next = answer.next.ok_or(ReceiptError::Field("next"))?;
        let next = ValidatorSet::from_proto(&next).map_err(ReceiptError::from)?;
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet.into());
        }
        if height.is_some_and(|height| height != header.height) {
            return Err(ClientError::WrongAnswer("another header"));
        }
        let set_changes = answer.set_changes;
        Ok(VerifiedHeader { header, certificate, next, era, set_changes })
    }

    /// A value of the state, or its proven absence, at the newest height or the one given.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn state(
        &self,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<VerifiedState, ClientError> {
        let proof = self.proof(key, height).await?;
        self.verify_proof(&proof, key, height)
    }

    /// The same with the evidence, to keep and to hand on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn state_proof(
        &self,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<(pb::StateProof, VerifiedState), ClientError> {
        let proof = self.proof(key, height).await?;
        let verified = self.verify_proof(&proof, key, height)?;
        Ok((proof, verified))
    }

    async fn proof(
        &self,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<pb::StateProof, ClientError> {
        let request = pb::GetStateRequest {
            key: key.to_vec(),
            height: height.map_or(0, |height| height.0),
            trusted_height: self.trust.height.0,
        };
        let answer = self.service.clone().get_state(timed(request, CALL_TIMEOUT)).await?;
        answer.into_inner().proof.ok_or(ClientError::WrongAnswer("no proof"))
    }

    fn verify_proof(
        &self,
        proof: &pb::StateProof,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<VerifiedState, ClientError> {
        let verified = receipt::verify_state(proof, &self.trust)?;
        if verified.key != key || height.is_some_and(|height| height != verified.header.height) {
            return Err(ClientError::WrongAnswer("a proof of something else"));
        }
        Ok(verified)
    }

    /// The registry as the node tells it, unproved: right for one's own node.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn members(&self) -> Result<pb::ListMembersResponse, ClientError> {
        let request = timed(pb::ListMembersRequest {}, CALL_TIMEOUT);
        Ok(self.service.clone().list_members(request).await?.into_inner())
    }

    /// The registry, every entry and the list itself proved at one height.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn proved_members(
        &self,
    ) -> Result<(Height, Vec<(MemberId, pb::MemberState)>), ClientError> {
        let listed = self.state(&state::members_key(), None).await?;
        let height = listed.header.height;
        let index: pb::MemberIndex = decode(listed.value)?;
        let members = stream::iter(index.members)
            .map(|id| async move {
                let id = MemberId::try_from(id.as_slice())
                    .map_err(|_| ClientError::WrongAnswer("a member id of wrong length"))?;
                let entry = self.state(&state::member_key(&id), Some(height)).await?;
                Ok::<_, ClientError>((id, decode(entry.value)?))
            })
            .buffered(PARALLEL_PROOFS)
            .try_collect()
            .await?;
        Ok((height, members))
    }

    /// Where the node and the log stand, as the node tells it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(&self) -> Result<pb::GetStatusResponse, ClientError> {
        let request = timed(pb::GetStatusRequest {}, CALL_TIMEOUT);
        Ok(self.service.clone().get_status(request).await?.into_inner())
    }

    /// Proof against validators that signed twice, as the node keeps it, oldest height first, every
    /// piece verified.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::WrongAnswer`] when a piece proves nothing.
    pub async fn evidence(&self) -> Result<Vec<Accusation>, ClientError> {
        let mut all = Vec::new();
        while all.len() < MAX_EVIDENCE {
            let request = pb::ListEvidenceRequest {
                trusted_height: self.trust.height.0,
                skip: u32::try_from(all.len()).unwrap_or(u32::MAX),
            };
            let mut service = self.service.clone().max_decoding_message_size(MAX_ANSWER_BYTES);
            let answer = service.list_evidence(timed(request, CALL_TIMEOUT)).await?;
            let page = answer.into_inner().evidence;
            if page.is_empty() {
                break;
            }
            for evidence in page {
                let verified = evidence::verify(&evidence, &self.trust)
                    .map_err(|_| ClientError::WrongAnswer("evidence that proves nothing"))?;
                all.push(Accusation { evidence, verified });
            }
        }
        Ok(all)
    }

    /// A tile (`level`), or with no level an entry bundle; `width` 0 for a full one. Unproved.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::is_not_found`] when the log is not that long.
    pub async fn tile(
        &self,
        level: Option<u8>,
        index: u64,
        width: u8,
    ) -> Result<Vec<u8>, ClientError> {
        let level = level.map_or(-1, i32::from);
        let request = pb::GetTileRequest { level, index, width: u32::from(width) };
        let mut service = self.service.clone().max_decoding_message_size(MAX_ANSWER_BYTES);
        let answer = service.get_tile(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().tile)
    }

    /// Certified blocks from a height on, to the newest, or for ever when `follow` is set. Nothing
    /// is verified: for whoever replays the log with [`heatmark_ledger::audit`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn unverified_blocks(
        &self,
        from: Height,
        to: Option<Height>,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<pb::StreamBlocksResponse, ClientError>>, ClientError>
    {
        let request = pb::StreamBlocksRequest {
            from_height: from.0,
            to_height: to.map_or(0, |height| height.0),
            follow,
            headers_only: false,
        };
        let mut service = self.service.clone().max_decoding_message_size(MAX_BLOCK_ANSWER_BYTES);
        let answer = service.stream_blocks(request).await?.into_inner();
        Ok(answer.map_err(ClientError::from).boxed())
    }

    /// Certified blocks from a height after the trust root's on, each verified to follow from the
    /// one before. The log's roots are computed again from the transactions, from any height on: the
    /// log's edge before it is read from tiles and proved by the header before.
    ///
    /// # Errors
    /// See [`ClientError`]. The stream ends with its first error.
    pub async fn blocks(
        &self,
        from: Height,
        to: Option<Height>,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<VerifiedBlock, ClientError>>, ClientError> {
        let from = from.max(Height(1));
        let mut verifier = self.verifier(from).await?;
        let blocks = self.unverified_blocks(from, to, follow).await?;
        let verified = blocks.map(move |block| verifier.verify(block?));
        Ok(until_error(verified).boxed())
    }

    async fn verifier(&self, from: Height) -> Result<BlockVerifier, ClientError> {
        if from == Height(1) && self.trust.height == Height(0) {
            return Ok(BlockVerifier::from_trust(&self.trust));
        }
        if from == self.trust.height.next() {
            // Its own header is no later than the trust root, and cannot be verified against it;
            // the hash that it is pinned by can.
            let header = self.pinned_header().await?;
            let edge = self.edge(header.log_size).await?;
            return BlockVerifier::after(
                &header,
                (*self.trust.validators).clone(),
                self.trust.era,
                edge,
            );
        }
        let before = self.header(Some(from.previous())).await?;
        let edge = self.edge(before.header.log_size).await?;
        BlockVerifier::after(&before.header, before.next, before.era, edge)
    }

    /// The header that the trust root pins.
    async fn pinned_header(&self) -> Result<Header, ClientError> {
        let request = pb::GetHeaderRequest { height: self.trust.height.0, trusted_height: 0 };
        let answer = self.service.clone().get_header(timed(request, CALL_TIMEOUT)).await?;
        let header = answer.into_inner().header.ok_or(ReceiptError::Field("header"))?;
        let header = Header::from_proto(&header).map_err(|_| ReceiptError::Field("header"))?;
        if self.trust.header == Some(header.hash()) {
            return Ok(header);
        }
        Err(ClientError::WrongAnswer("another header"))
    }

    /// The right edge of the log when it had this size, from the last tile of each level. Proved by
    /// nothing but its root.
    async fn edge(&self, size: TreeSize) -> Result<Frontier, ClientError> {
        let mut edge = MemoryTiles::new();
        for level in 0..tiles::LEVELS {
            let bits = EDGE_BITS.saturating_mul(u32::from(level).saturating_add(1));
            let index = size.0.checked_shr(bits).unwrap_or(0);
            let tile = TileId { level, index };
            let width = tiles::width_in(size, tile);
            let Some(width) = u8::try_from(width).ok().filter(|width| *width > 0) else { continue };
            let hashes = self.tile(Some(level), index, width).await?;
            if hashes.len() != usize::from(width).saturating_mul(HASH_BYTES) {
                return Err(ClientError::WrongAnswer("a tile of wrong length"));
            }
            edge.apply(vec![(tile, hashes)]);
        }
        Frontier::from_tiles(size, &edge)
            .map_err(|_| ClientError::WrongAnswer("tiles that are not the log's"))
    }

    fn submission(&self, envelope: &Bytes, wait: bool) -> pb::SubmitRequest {
        pb::SubmitRequest {
            transaction: envelope.to_vec(),
            wait,
            trusted_height: self.trust.height.0,
        }
    }

    fn id_of(&self, envelope: &[u8]) -> Result<TransactionId, ClientError> {
        let message = wire::decode_envelope(envelope)?;
        let signer =
            KeyId::try_from(message.signer.as_slice()).map_err(|_| WireError::Malformed)?;
        Ok(transaction::transaction_id(&self.trust.network, &signer, &message.body))
    }

    fn prove(&self, receipt: pb::Receipt, of: ReceiptOf) -> Result<Proven, ClientError> {
        let verified = self.certified.verify(&receipt, &self.trust)?;
        let asked = match of {
            ReceiptOf::Transaction(id) => id == verified.transaction_id,
            ReceiptOf::Leaf(index) => index == verified.leaf_index,
        };
        if !asked {
            return Err(ClientError::WrongAnswer("a receipt for another transaction"));
        }
        Ok(Proven { receipt, verified })
    }
}

fn until_error<T: Send + 'static>(
    stream: impl Stream<Item = Result<T, ClientError>> + Send + 'static,
) -> impl Stream<Item = Result<T, ClientError>> + Send + 'static {
    stream.scan(false, |failed, item| {
        let next = (!*failed).then_some(item);
        *failed = matches!(next, Some(Err(_)) | None);
        async move { next }
    })
}

fn expect_id(answered: &[u8], id: &TransactionId) -> Result<(), ClientError> {
    let same = answered == id.as_bytes().as_slice();
    if same { Ok(()) } else { Err(ClientError::WrongAnswer("another transaction's id")) }
}

fn decode<M: prost::Message + Default + 'static>(value: Option<Vec<u8>>) -> Result<M, ClientError> {
    let value = value.ok_or(ClientError::WrongAnswer("a registry entry that is not there"))?;
    wire::decode(&value, usize::MAX).map_err(|error| ReceiptError::Wire(error).into())
}

pub(crate) fn timed<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}
