//! Attesting and proving agreement over the network: what a laboratory's own software calls. Refuses ids of wrong length,
//! a request without a file, and tolerances that are none; the rest is the desk's to judge.

use super::DeskApi;
use super::publish::{BUSY_WAIT, desk_file};
use crate::refusal::{busy, field, of_desk};
use heatmark_desk::{Agree, Attest, Desk};
use heatmark_evidence::Selection;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_proto::desk::v1 as pb;
use heatmark_records::Path;
use heatmark_records::conformance::agreement::{MAX_PAIRS, Tolerance, ToleranceError, Tolerances};
use std::sync::Arc;
use tonic::Status;

impl DeskApi {
    pub(super) async fn attest_record(
        &self,
        desk: &Desk,
        request: pb::AttestRequest,
    ) -> Result<pb::AttestResponse, Status> {
        let file = request.file.ok_or_else(|| field("there is no file with what is attested"))?;
        let confirms = Selection::new(request.confirms).map_err(|error| of_desk(error.into()))?;
        let what = Attest {
            record: id(&request.record_id)?,
            file: desk_file(file),
            disclosures: request.disclosures,
            confirms,
        };
        // A report is read and anchored as any publication, and holds as much meanwhile.
        let _permit = Arc::clone(&self.node.publications).try_acquire_owned().map_err(|_| {
            busy("busy", "too many publications at once; try again later", BUSY_WAIT)
        })?;
        let made = self.in_time(desk.attest(what)).await?;
        Ok(pb::AttestResponse {
            record_id: made.record.0.to_vec(),
            form: made.form,
            fields: made.fields,
            already_published: made.already_published,
            warnings: made.warnings,
            bound: made.bound.iter().map(ToString::to_string).collect(),
            transaction_id: made.committed.id.to_vec(),
            receipt: Some(made.committed.receipt),
        })
    }

    pub(super) async fn prove_agreement(
        &self,
        desk: &Desk,
        request: pb::AgreeRequest,
    ) -> Result<pb::AgreeResponse, Status> {
        let what = Agree {
            record: id(&request.record_id)?,
            with: request.disclosure,
            tolerances: tolerances(&request.tolerances).map_err(|error| of_desk(error.into()))?,
            receiver: MemberId(id(&request.receiver)?),
            purpose: request.purpose,
        };
        let agreement = self.in_time(desk.agree(what)).await?;
        Ok(pb::AgreeResponse { agreement })
    }
}

fn id(bytes: &[u8]) -> Result<Hash, Status> {
    Hash::try_from(bytes).map_err(|_| field("a record id and a member id have 32 bytes"))
}

fn tolerances(messages: &[pb::Tolerance]) -> Result<Tolerances, ToleranceError> {
    if messages.len() > MAX_PAIRS {
        return Err(ToleranceError::Count);
    }
    let read = messages.iter().map(|message| {
        let path = Path::new(&message.path).map_err(|_| ToleranceError::Path)?;
        Ok((path, Tolerance::parse(&message.within)?))
    });
    Tolerances::new(read.collect::<Result<_, ToleranceError>>()?)
}
