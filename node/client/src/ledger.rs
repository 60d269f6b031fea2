//! The ledger service of a node, every answer verified against a trust root where it can be.
//! Refuses evidence that does not verify, and true evidence about something else than was asked.

use crate::blocks::BlockVerifier;
use crate::certified::CertifiedHeaders;
use crate::connection::{self, Target};
use crate::error::ClientError;
use crate::tls::Identity;
use crate::{MAX_ANSWER_BYTES, VerifiedBlock};
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height, KeyId, MemberId, TransactionId};
use heatmark_ledger::receipt::{
    self, CertifiedHeader, ReceiptError, TrustRoot, Verified, VerifiedState,
};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::wire::{self, WireError};
use heatmark_ledger::{LeafIndex, messages as pb, state, transaction};
use pb::ledger_service_client::LedgerServiceClient;
use prost::bytes::Bytes;
use std::time::Duration;
use tonic::Request;
use tonic::transport::Channel;

/// How long an ordinary answer may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

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
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES);
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
        let answer = self.service.clone().get_tile(timed(request, CALL_TIMEOUT)).await?;
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
        let answer = self.service.clone().stream_blocks(request).await?.into_inner();
        Ok(answer.map_err(ClientError::from).boxed())
    }

    /// Certified blocks from a height after the trust root's on, each verified to follow from the
    /// one before. From height 1 on the log's roots are computed again from the transactions.
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
        let mut verifier = if from == self.trust.height.next() {
            BlockVerifier::from_trust(&self.trust)
        } else {
            let before = self.header(Some(from.previous())).await?;
            BlockVerifier::after(&before.header, before.next, before.era)
        };
        let blocks = self.unverified_blocks(from, to, follow).await?;
        let verified = blocks.map(move |block| verifier.verify(block?));
        Ok(until_error(verified).boxed())
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

fn decode<M: prost::Message + Default>(value: Option<Vec<u8>>) -> Result<M, ClientError> {
    let value = value.ok_or(ClientError::WrongAnswer("a registry entry that is not there"))?;
    wire::decode(&value, usize::MAX).map_err(|error| ReceiptError::Wire(error).into())
}

pub(crate) fn timed<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}
