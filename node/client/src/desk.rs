//! The desk service of the own organisation's node: publish certificates, raise alerts, have
//! transactions signed. Receipts that come back are verified like anybody's.

use crate::MAX_ANSWER_BYTES;
use crate::connection::{self, Target};
use crate::error::ClientError;
use crate::ledger::{Proven, timed};
use crate::tls::Identity;
use desk::desk_service_client::DeskServiceClient;
use desk::escrow_service_client::EscrowServiceClient;
use desk::publish_request::Part;
use desk::publish_response::Event;
use futures::stream::{self, Stream, StreamExt as _};
use heatmark_ledger::ids::TransactionId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, ReceiptError, TrustRoot};
use heatmark_proto::desk::v1 as desk;
use std::time::Duration;
use tonic::transport::Channel;

/// How long the node may take until an alert or another transaction is committed.
pub(crate) const COMMIT_TIMEOUT: Duration = Duration::from_secs(180);
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// One certificate file to publish.
#[derive(Debug, Clone)]
pub struct CertificateFile {
    /// The name as the person typed it.
    pub name: String,
    /// The file's bytes, at most 4 MiB.
    pub content: Vec<u8>,
    /// What stands beside it: JSON of the form `Heatmark 1`, at most 64 KiB, or nothing.
    pub beside: Vec<u8>,
}

/// What is heard while files are published.
#[derive(Debug, Clone)]
pub enum PublishEvent {
    /// A file was understood.
    Read(desk::FileRead),
    /// A file was refused, with its faults.
    Refused(desk::FileRefused),
    /// A batch of records stands on the log.
    Anchored(Box<Proven>, u32),
}

/// What a publication came to.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Files that became a record.
    pub new: u64,
    /// Files that were one before, or stood twice in this publication.
    pub already_published: u64,
    /// Files that were refused.
    pub refused: u64,
    /// Anchors made.
    pub anchors: u64,
}

/// An alert to raise or clear.
#[derive(Debug, Clone)]
pub enum RaiseAlert {
    /// On an own record, by its id.
    OwnRecord([u8; 32]),
    /// A concern about any alert subject.
    Concern([u8; 32]),
}

/// A connection to the own node's desk. Clones share the connection.
#[derive(Debug, Clone)]
pub struct DeskClient {
    pub(crate) service: DeskServiceClient<Channel>,
    pub(crate) escrow: EscrowServiceClient<Channel>,
    trust: TrustRoot,
}

impl DeskClient {
    /// Connects; whether the node takes us for its own shows at the first call.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn connect(
        target: &Target,
        identity: &Identity,
        trust: TrustRoot,
    ) -> Result<Self, ClientError> {
        let channel = connection::open(target, identity).await?;
        let service = DeskServiceClient::new(channel.clone())
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES);
        let escrow = EscrowServiceClient::new(channel)
            .max_decoding_message_size(MAX_ANSWER_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES);
        Ok(Self { service, escrow, trust })
    }

    /// Publishes files as they come, `count` of them; `hear` is told of each as it is read,
    /// refused or anchored. Files are asked for only as fast as the node takes them.
    ///
    /// # Errors
    /// See [`ClientError`]. What was anchored before an error stays anchored; publishing the same
    /// files again makes no second record.
    pub async fn publish(
        &self,
        count: u32,
        files: impl Stream<Item = CertificateFile> + Send + 'static,
        mut hear: impl FnMut(&PublishEvent) + Send,
    ) -> Result<Published, ClientError> {
        let start = Part::Start(desk::PublishStart { files: count });
        let files = files.map(|file| {
            let CertificateFile { name, content, beside } = file;
            Part::File(desk::CertificateFile { name, content, beside })
        });
        let parts = stream::iter([start]).chain(files);
        let requests = parts.map(|part| desk::PublishRequest { part: Some(part) });
        let mut answers = self.service.clone().publish(requests).await?.into_inner();
        let mut published = Published::default();
        while let Some(answer) = answers.message().await? {
            let event = self.event(answer)?;
            published.count(&event);
            hear(&event);
        }
        Ok(published)
    }

    /// Records of the node, by id or the beginning of one, `limit` at most.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn records(
        &self,
        id_prefix: &[u8],
        limit: u32,
    ) -> Result<Vec<desk::RecordRow>, ClientError> {
        let request = desk::ListRecordsRequest { id_prefix: id_prefix.to_vec(), limit };
        let answer = self.service.clone().list_records(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().records)
    }

    /// Raises, changes or clears an alert and waits until it stands on the log.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn alert(
        &self,
        on: RaiseAlert,
        level: pb::AlertLevel,
        reason: String,
    ) -> Result<(pb::Alert, Proven), ClientError> {
        let (record_id, subject) = match on {
            RaiseAlert::OwnRecord(id) => (id.to_vec(), Vec::new()),
            RaiseAlert::Concern(subject) => (Vec::new(), subject.to_vec()),
        };
        let request = desk::RaiseAlertRequest { record_id, subject, level: level.into(), reason };
        let answer = self.service.clone().raise_alert(timed(request, COMMIT_TIMEOUT)).await?;
        let answer = answer.into_inner();
        let proven = self.prove(answer.receipt, &answer.transaction_id)?;
        match &proven.verified.body.payload {
            Some(pb::body::Payload::Alert(alert)) if alert.level == i32::from(level) => {
                Ok((alert.clone(), proven))
            }
            _ => Err(ClientError::WrongAnswer("a receipt for another alert")),
        }
    }

    /// Why the alert that stands on one of the node's records was raised; whether that opens its digest, the caller
    /// verifies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn explain_alert(
        &self,
        record: [u8; 32],
    ) -> Result<Option<pb::AlertReason>, ClientError> {
        let request = desk::ExplainAlertRequest { record_id: record.to_vec() };
        let answer = self.service.clone().explain_alert(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().reason)
    }

    /// Has the node make a disclosure of one of its records; whether it says what was asked for, the caller verifies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn disclose(&self, what: desk::DiscloseRequest) -> Result<Vec<u8>, ClientError> {
        let answer = self.service.clone().disclose(timed(what, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().disclosure)
    }

    /// Has the node make and anchor a record that attests somebody else's.
    ///
    /// # Errors
    /// See [`ClientError`]. The same report for the same record makes no second one.
    pub async fn attest(
        &self,
        what: desk::AttestRequest,
    ) -> Result<(desk::AttestResponse, Proven), ClientError> {
        let answer = self.service.clone().attest(timed(what, COMMIT_TIMEOUT)).await?;
        let mut answer = answer.into_inner();
        let proven = self.prove(answer.receipt.take(), &answer.transaction_id)?;
        match &proven.verified.body.payload {
            Some(pb::body::Payload::Anchor(_)) => Ok((answer, proven)),
            _ => Err(ClientError::WrongAnswer("a receipt of no anchor")),
        }
    }

    /// Has the node prove that two records agree; whether the file says what was asked for, the caller verifies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn agree(&self, what: desk::AgreeRequest) -> Result<Vec<u8>, ClientError> {
        let answer = self.service.clone().agree(timed(what, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().agreement)
    }

    /// Has the node sign a payload with its signing key and submit it. `body` comes without window
    /// and nonce unless co-signatures cover it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn sign_and_submit(
        &self,
        body: pb::Body,
        cosignatures: Vec<pb::CoSignature>,
    ) -> Result<Proven, ClientError> {
        let payload = body.payload.clone();
        let request = desk::SignAndSubmitRequest { body: Some(body), cosignatures };
        let answer = self.service.clone().sign_and_submit(timed(request, COMMIT_TIMEOUT)).await?;
        let answer = answer.into_inner();
        let proven = self.prove(answer.receipt, &answer.transaction_id)?;
        if proven.verified.body.payload != payload {
            return Err(ClientError::WrongAnswer("a receipt for another transaction"));
        }
        Ok(proven)
    }

    fn event(&self, answer: desk::PublishResponse) -> Result<PublishEvent, ClientError> {
        match answer.event.ok_or(ClientError::WrongAnswer("an event of no kind"))? {
            Event::Read(read) => Ok(PublishEvent::Read(read)),
            Event::Refused(refused) => Ok(PublishEvent::Refused(refused)),
            Event::Anchored(anchored) => {
                let proven = self.prove(anchored.receipt, &anchored.transaction_id)?;
                match &proven.verified.body.payload {
                    Some(pb::body::Payload::Anchor(anchor))
                        if anchor.records == anchored.records =>
                    {
                        Ok(PublishEvent::Anchored(Box::new(proven), anchored.records))
                    }
                    _ => Err(ClientError::WrongAnswer("a receipt for another anchor")),
                }
            }
        }
    }

    /// The desk proves from genesis on; what the trust root covers already is left out.
    pub(crate) fn prove(
        &self,
        receipt: Option<pb::Receipt>,
        transaction_id: &[u8],
    ) -> Result<Proven, ClientError> {
        let mut receipt = receipt.ok_or(ClientError::WrongAnswer("no receipt"))?;
        let trusted = self.trust.height.0;
        receipt
            .set_changes
            .retain(|change| change.header.as_ref().is_none_or(|header| header.height > trusted));
        let verified = receipt::verify(&receipt, &self.trust)?;
        let id = TransactionId::try_from(transaction_id)
            .map_err(|_| ReceiptError::Field("transaction_id"))?;
        if verified.transaction_id != id {
            return Err(ClientError::WrongAnswer("a receipt for another transaction"));
        }
        Ok(Proven { receipt, verified })
    }
}

impl Published {
    fn count(&mut self, event: &PublishEvent) {
        let counter = match event {
            PublishEvent::Read(read) if read.already_published => &mut self.already_published,
            PublishEvent::Read(_) => &mut self.new,
            PublishEvent::Refused(_) => &mut self.refused,
            PublishEvent::Anchored(..) => &mut self.anchors,
        };
        *counter = counter.saturating_add(1);
    }
}
