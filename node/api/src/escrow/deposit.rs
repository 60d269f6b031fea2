//! A deposit over a stream: what is to be deposited, then its documents one after another. Refuses documents of no section,
//! more or fewer bytes than announced, more than a deposit holds, and a client that sends nothing for long.

use crate::desk::DeskApi;
use crate::refusal::{busy, field, of_desk, refuse, stopping};
use crate::server::Node;
use heatmark_desk::{DepositPlan, Desk, MAX_DEPOSIT_BYTES, SectionPlan};
use heatmark_escrow::{MAX_AGENTS, MAX_DOCUMENTS, MAX_NAME_BYTES, MAX_SECTIONS, Policy};
use heatmark_evidence::Selection;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_proto::desk::v1 as pb;
use pb::deposit_request::Part;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Status, Streaming};

/// When to try again while others deposit.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(10);

impl DeskApi {
    pub(super) async fn take_deposit(
        &self,
        desk: &Desk,
        mut parts: Streaming<pb::DepositRequest>,
    ) -> Result<pb::DepositResponse, Status> {
        let permit = Arc::clone(&self.node.deposits).try_acquire_owned();
        let _permit = permit
            .map_err(|_| busy("busy", "too many deposits at once; try again later", BUSY_WAIT))?;
        let Some(Part::Start(start)) = next(&self.node, &mut parts).await? else {
            return Err(field("a deposit begins with its start"));
        };
        let mut taking = Taking { plan: plan(start)?, left: MAX_DEPOSIT_BYTES, open: None };
        while let Some(part) = next(&self.node, &mut parts).await? {
            match part {
                Part::Start(_) => return Err(field("a deposit begins once")),
                Part::Document(document) => taking.begin(document)?,
                Part::Piece(piece) => taking.add(&piece)?,
            }
        }
        let plan = taking.end()?;
        // What takes long is on disk when it is done: the client waits, and asks for the deposits if it cannot.
        let deposit = self.in_time(desk.deposit(plan)).await?;
        Ok(pb::DepositResponse { deposit: deposit.to_vec() })
    }
}

/// A plan whose documents come in.
struct Taking {
    plan: DepositPlan,
    /// Bytes that the deposit may still have.
    left: usize,
    /// The section whose last document is coming in, and how many bytes of it are missing.
    open: Option<(usize, u64)>,
}

impl Taking {
    fn begin(&mut self, document: pb::DepositDocument) -> Result<(), Status> {
        self.complete()?;
        let mut sections = self.plan.sections.iter();
        let place = sections.position(|section| section.name == document.section);
        let place = place.ok_or_else(|| field("a document belongs to a section of the deposit"))?;
        let section = self.plan.sections.get_mut(place);
        let section = section.ok_or_else(|| field("a document belongs to a section"))?;
        let known = section.documents.iter().any(|(name, _)| *name == document.name);
        let length = document.name.len();
        if known || !(1..=MAX_NAME_BYTES).contains(&length) {
            return Err(field("every document of a section has a name of its own"));
        }
        if section.documents.len() >= MAX_DOCUMENTS {
            return Err(field("a section has at most 64 documents"));
        }
        section.documents.push((document.name, Vec::new()));
        self.open = Some((place, document.bytes));
        Ok(())
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Status> {
        let (place, missing) =
            self.open.as_mut().ok_or_else(|| field("bytes of no document that was announced"))?;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        *missing = missing
            .checked_sub(length)
            .ok_or_else(|| field("a document has more bytes than were announced"))?;
        self.left = self.left.checked_sub(piece.len()).ok_or_else(|| {
            refuse(
                Code::InvalidArgument,
                "too-long",
                "a deposit holds at most 256 MiB of documents",
            )
        })?;
        let documents = self.plan.sections.get_mut(*place).map(|section| &mut section.documents);
        if let Some((_, content)) = documents.and_then(|documents| documents.last_mut()) {
            content.extend_from_slice(piece);
        }
        Ok(())
    }

    fn complete(&self) -> Result<(), Status> {
        match self.open {
            Some((_, missing)) if missing > 0 => {
                Err(field("a document has fewer bytes than were announced"))
            }
            _ => Ok(()),
        }
    }

    fn end(self) -> Result<DepositPlan, Status> {
        self.complete()?;
        Ok(self.plan)
    }
}

fn plan(start: pb::DepositStart) -> Result<DepositPlan, Status> {
    let record = Hash::try_from(start.record_id.as_slice());
    if !(1..=MAX_SECTIONS).contains(&start.sections.len()) {
        return Err(field("a deposit has 1 to 32 sections"));
    }
    if !(1..=MAX_AGENTS).contains(&start.agents.len()) {
        return Err(field("a deposit has 1 to 32 agents"));
    }
    let mut sections: Vec<SectionPlan> = Vec::with_capacity(start.sections.len());
    for section in start.sections {
        if sections.iter().any(|known| known.name == section.name) {
            return Err(field("every section has a name of its own"));
        }
        let fields = Selection::new(section.fields).map_err(|error| of_desk(error.into()))?;
        sections.push(SectionPlan { name: section.name, fields, documents: Vec::new() });
    }
    let policy = Policy::parse(&start.policy)
        .map_err(|error| refuse(Code::InvalidArgument, "policy", error.to_string()))?;
    Ok(DepositPlan {
        record: record.map_err(|_| field("a record id has 32 bytes"))?,
        sections,
        agents: members(&start.agents)?,
        threshold: start.threshold,
        policy,
    })
}

async fn next(
    node: &Node,
    parts: &mut Streaming<pb::DepositRequest>,
) -> Result<Option<Part>, Status> {
    match message(node, parts).await? {
        None => Ok(None),
        Some(request) => request.part.map(Some).ok_or_else(|| field("a message of no kind")),
    }
}

/// The next message of a stream, of a client that goes on sending.
pub(super) async fn message<M>(node: &Node, parts: &mut Streaming<M>) -> Result<Option<M>, Status> {
    let mut stop = node.stop.clone();
    let message = tokio::select! {
        message = tokio::time::timeout(node.limits.stall_timeout, parts.message()) => message,
        _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
    };
    let stalled = || {
        let message = "the client sent nothing for too long";
        refuse(Code::DeadlineExceeded, "stalled", message)
    };
    message.map_err(|_| stalled())?
}

/// Member ids.
pub(super) fn members(ids: &[Vec<u8>]) -> Result<Vec<MemberId>, Status> {
    let ids = ids.iter().map(|member| MemberId::try_from(member.as_slice()));
    let ids: Result<Vec<MemberId>, _> = ids.collect();
    ids.map_err(|_| field("a member id has 32 bytes"))
}
