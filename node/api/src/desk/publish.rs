//! Publishing over a stream in each direction: files in as fast as they are read, events out as
//! fast as they are heard, a few of either in memory. Refuses a stream without a start, more files
//! than announced, and a client that sends nothing for long.

use super::DeskApi;
use crate::refusal::{busy, field, of_desk, refuse, stopping};
use crate::server::Node;
use heatmark_desk::{CertificateFile, Desk, PlannedDeposit, PublishEvent, WantedDocument};
use heatmark_proto::desk::v1 as pb;
use pb::publish_request::Part;
use pb::publish_response::Event;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

pub(super) type PublishStream = ReceiverStream<Result<pb::PublishResponse, Status>>;

/// When to try again while others publish.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(10);
/// Files read from the network ahead of the desk.
const FILE_QUEUE: usize = 4;
/// Events that wait for the client.
const EVENT_QUEUE: usize = 16;
/// Most files in one publication.
const MAX_FILES: u32 = 1_000_000;

impl DeskApi {
    pub(super) async fn publish_files(
        &self,
        desk: &Desk,
        mut parts: Streaming<pb::PublishRequest>,
    ) -> Result<PublishStream, Status> {
        let permit = Arc::clone(&self.node.publications).try_acquire_owned().map_err(|_| {
            busy("busy", "too many publications at once; try again later", BUSY_WAIT)
        })?;
        let announced = match next(&self.node, &mut parts).await? {
            Some(Part::Start(start)) if (1..=MAX_FILES).contains(&start.files) => start.files,
            Some(Part::Start(_)) => return Err(field("a publication has 1 to 1000000 files")),
            _ => return Err(field("a publication begins with its start")),
        };
        let (files, read) = mpsc::channel(FILE_QUEUE);
        let mut heard = desk.publish(read);
        let (events, stream) = mpsc::channel(EVENT_QUEUE);
        let node = Arc::clone(&self.node);
        tokio::spawn(async move {
            let _permit = permit;
            let pump = pump(&node, parts, announced, files);
            let tell = async {
                while let Some(event) = heard.recv().await {
                    let event = event.map(response).map_err(of_desk);
                    let sent = tokio::time::timeout(node.limits.stall_timeout, events.send(event));
                    if !matches!(sent.await, Ok(Ok(()))) {
                        // Nobody listens: what is in the vault is anchored all the same.
                        return;
                    }
                }
            };
            let (pumped, ()) = tokio::join!(pump, tell);
            if let Err(status) = pumped {
                let told = events.send(Err(status));
                // Nobody may be listening any more.
                let _ = tokio::time::timeout(node.limits.stall_timeout, told).await;
            }
        });
        Ok(ReceiverStream::new(stream))
    }
}

/// Carries files from the network to the desk.
async fn pump(
    node: &Node,
    mut parts: Streaming<pb::PublishRequest>,
    announced: u32,
    files: mpsc::Sender<CertificateFile>,
) -> Result<(), Status> {
    let mut left = announced;
    loop {
        let part = tokio::select! {
            part = next(node, &mut parts) => part?,
            () = files.closed() => return Ok(()),
        };
        let file = match part {
            None => return Ok(()),
            Some(Part::File(file)) => file,
            Some(Part::Start(_)) => return Err(field("a publication begins once")),
        };
        left = left.checked_sub(1).ok_or_else(|| field("more files than were announced"))?;
        let file = desk_file(file);
        if files.send(file).await.is_err() {
            // The desk ended the publication, and says why in its events.
            return Ok(());
        }
    }
}

/// A file as the desk takes it.
pub(super) fn desk_file(file: pb::CertificateFile) -> CertificateFile {
    let pb::CertificateFile { name, content, beside } = file;
    CertificateFile { name, content, beside, attests: None }
}

async fn next(
    node: &Node,
    parts: &mut Streaming<pb::PublishRequest>,
) -> Result<Option<Part>, Status> {
    let mut stop = node.stop.clone();
    let message = tokio::select! {
        message = tokio::time::timeout(node.limits.stall_timeout, parts.message()) => message,
        _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
    };
    let stalled = || {
        let message = "the client sent no file for too long";
        refuse(Code::DeadlineExceeded, "stalled", message)
    };
    match message.map_err(|_| stalled())?? {
        None => Ok(None),
        Some(request) => request.part.map(Some).ok_or_else(|| field("a message of no kind")),
    }
}

fn planned(deposit: PlannedDeposit) -> pb::PlannedDeposit {
    let PlannedDeposit { class, wanted } = deposit;
    pb::PlannedDeposit { class, wanted: wanted.into_iter().map(wanted_document).collect() }
}

pub(crate) fn wanted_document(wanted: WantedDocument) -> pb::WantedDocument {
    pb::WantedDocument { sha256: wanted.sha256.to_vec(), bytes: wanted.bytes }
}

fn response(event: PublishEvent) -> pb::PublishResponse {
    let event = match event {
        PublishEvent::Read {
            name,
            record_id,
            form,
            fields,
            already_published,
            origin,
            supersedes,
            deposits,
        } => {
            let nothing = origin.err().map(|nothing| nothing.to_string());
            let supersedes = supersedes.map(|old| format!("supersedes {old}, which stays, marked"));
            Event::Read(pb::FileRead {
                name,
                record_id: record_id.0.to_vec(),
                form,
                fields,
                already_published,
                mass_mg: origin.map_or(0, |origin| origin.mass_mg),
                notes: nothing.into_iter().chain(supersedes).collect(),
                deposits: deposits.into_iter().map(planned).collect(),
            })
        }
        PublishEvent::Refused { name, faults } => Event::Refused(pb::FileRefused { name, faults }),
        PublishEvent::Anchored { transaction_id, records, receipt, .. } => {
            Event::Anchored(pb::BatchAnchored {
                transaction_id: transaction_id.to_vec(),
                records,
                receipt: Some(*receipt),
            })
        }
    };
    pb::PublishResponse { event: Some(event) }
}
