//! The desk service: the node's own people, and nobody else, ask [`heatmark_desk::Desk`]. Refuses
//! other members' keys, however valid.

mod attesting;
mod capture;
mod genealogy;
mod keeping;
mod lots;
mod parcels;
mod post;
mod publish;
mod serials;

use crate::ledger::identity_of;
use crate::refusal::{field, of_desk, pending, refuse, stopping};
use crate::server::Node;
use heatmark_desk::{AlertOn, Committed, Desk, DeskError, Disclose, Limits, batch_proof};
use heatmark_evidence::Selection;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::{AlertSubject, MemberId};
use heatmark_ledger::messages::AlertReason;
use heatmark_proto::desk::v1 as pb;
use heatmark_records::Specification;
use heatmark_vault::{Actor, RecordRow};
use keeping::BackupStream;
use pb::desk_service_server::DeskService;
use publish::PublishStream;
pub(crate) use publish::wanted_document;
use std::future::Future;
use std::sync::Arc;
use tonic::{Code, Request, Response, Status, Streaming};

const DEFAULT_RECORDS: usize = 100;
const MAX_RECORDS: usize = 1_000;
/// What the vault's log calls the member's own registered keys.
const OWN_KEY: &str = "the member's own key";

/// The service over a desk.
#[derive(Clone)]
pub(crate) struct DeskApi {
    pub(crate) node: Arc<Node>,
    pub(crate) desk: Desk,
}

#[tonic::async_trait]
impl DeskService for DeskApi {
    type PublishStream = PublishStream;
    type BackupVaultStream = BackupStream;

    async fn publish(
        &self,
        request: Request<Streaming<pb::PublishRequest>>,
    ) -> Result<Response<PublishStream>, Status> {
        let desk = self.desk_for(&request)?;
        self.publish_files(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_records(
        &self,
        request: Request<pb::ListRecordsRequest>,
    ) -> Result<Response<pb::ListRecordsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let request = request.into_inner();
        if request.id_prefix.len() > 32 {
            return Err(field("a record id has 32 bytes"));
        }
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => DEFAULT_RECORDS,
            limit => limit.min(MAX_RECORDS),
        };
        let rows = desk.records(request.id_prefix, limit).await.map_err(of_desk)?;
        let records = rows.into_iter().map(row).collect();
        Ok(Response::new(pb::ListRecordsResponse { records }))
    }

    async fn raise_alert(
        &self,
        request: Request<pb::RaiseAlertRequest>,
    ) -> Result<Response<pb::RaiseAlertResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let request = request.into_inner();
        let level = request.level();
        let hash = |bytes: &[u8]| Hash::try_from(bytes);
        let on = match (request.record_id.as_slice(), request.subject.as_slice()) {
            (record, []) => hash(record).map(AlertOn::OwnRecord),
            ([], subject) => hash(subject).map(|hash| AlertOn::Concern(AlertSubject(hash))),
            _ => return Err(field("name a record or a subject, not both")),
        };
        let on = on.map_err(|_| field("a record id and a subject have 32 bytes"))?;
        let raised = self.in_time(desk.alert(on, level, request.reason)).await?;
        let Committed { id, receipt, .. } = raised.committed;
        Ok(Response::new(pb::RaiseAlertResponse {
            alert: Some(raised.alert),
            transaction_id: id.to_vec(),
            receipt: Some(receipt),
        }))
    }

    async fn explain_alert(
        &self,
        request: Request<pb::ExplainAlertRequest>,
    ) -> Result<Response<pb::ExplainAlertResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let record = Hash::try_from(request.into_inner().record_id.as_slice());
        let record = record.map_err(|_| field("a record id has 32 bytes"))?;
        let reason = self.in_time(desk.explain_alert(record)).await?;
        let reason =
            reason.map(|kept| AlertReason { salt: kept.salt.to_vec(), reason: kept.reason });
        Ok(Response::new(pb::ExplainAlertResponse { reason }))
    }

    async fn disclose(
        &self,
        request: Request<pb::DiscloseRequest>,
    ) -> Result<Response<pb::DiscloseResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let request = request.into_inner();
        let hash = |bytes: &[u8]| {
            Hash::try_from(bytes).map_err(|_| field("a record id and a member id have 32 bytes"))
        };
        let limits = match (request.specification.as_str(), request.own_limits) {
            ("", false) => None,
            ("", true) => Some(Limits::Own),
            (text, false) => {
                let read = Specification::parse(text);
                let refused = |error: heatmark_records::specification::SpecificationError| {
                    refuse(Code::InvalidArgument, "specification", error.to_string())
                };
                Some(Limits::Of(read.map_err(refused)?))
            }
            (_, true) => return Err(field("give a specification or own limits, not both")),
        };
        let what = Disclose {
            record: hash(&request.record_id)?,
            receiver: MemberId(hash(&request.receiver)?),
            purpose: request.purpose,
            fields: Selection::new(request.fields).map_err(|error| of_desk(error.into()))?,
            limits,
        };
        let disclosure = self.in_time(desk.disclose(what)).await?;
        Ok(Response::new(pb::DiscloseResponse { disclosure }))
    }

    async fn attest(
        &self,
        request: Request<pb::AttestRequest>,
    ) -> Result<Response<pb::AttestResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.attest_record(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn agree(
        &self,
        request: Request<pb::AgreeRequest>,
    ) -> Result<Response<pb::AgreeResponse>, Status> {
        let desk = self.desk_for(&request)?;
        self.prove_agreement(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn sign_and_submit(
        &self,
        request: Request<pb::SignAndSubmitRequest>,
    ) -> Result<Response<pb::SignAndSubmitResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let request = request.into_inner();
        let body = request.body.ok_or_else(|| field("there is no body to sign"))?;
        let signed = desk.sign_and_submit(body, request.cosignatures);
        let Committed { id, receipt, .. } = self.in_time(signed).await?;
        Ok(Response::new(pb::SignAndSubmitResponse {
            transaction_id: id.to_vec(),
            receipt: Some(receipt),
        }))
    }

    async fn make_lots(
        &self,
        request: Request<pb::MakeLotsRequest>,
    ) -> Result<Response<pb::MakeLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let plan = lots::plan(request.into_inner())?;
        let made = self.in_time(desk.lot_event(plan)).await?;
        Ok(Response::new(lots::made(made)))
    }

    async fn list_lots(
        &self,
        request: Request<pb::ListLotsRequest>,
    ) -> Result<Response<pb::ListLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let request = request.into_inner();
        let found = match (request.name.as_str(), request.after.as_slice()) {
            ("", []) => desk.lots(None, lots::MAX_LOTS).await,
            ("", after) => {
                let after = after.try_into().map_err(|_| field("a lot's hash has 32 bytes"))?;
                desk.lots(Some(after), lots::MAX_LOTS).await
            }
            (_, []) => desk.lot_named(request.name).await.map(|lot| vec![lot]),
            _ => return Err(field("name a lot or where to go on, not both")),
        };
        let lots = found.map_err(of_desk)?.into_iter().map(lots::row).collect();
        Ok(Response::new(pb::ListLotsResponse { lots }))
    }

    async fn keep_serials(
        &self,
        request: Request<Streaming<pb::KeepSerialsRequest>>,
    ) -> Result<Response<pb::KeepSerialsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        serials::keep(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn report_capture(
        &self,
        request: Request<pb::ReportCaptureRequest>,
    ) -> Result<Response<pb::ReportCaptureResponse>, Status> {
        let desk = self.desk_for(&request)?;
        capture::report(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn prove_serial(
        &self,
        request: Request<pb::ProveSerialRequest>,
    ) -> Result<Response<pb::ProveSerialResponse>, Status> {
        let desk = self.desk_for(&request)?;
        serials::prove(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn offer_seals(
        &self,
        request: Request<pb::OfferSealsRequest>,
    ) -> Result<Response<pb::OfferSealsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::offer_seals(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn take_offer(
        &self,
        request: Request<pb::TakeOfferRequest>,
    ) -> Result<Response<pb::TakeOfferResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::take_offer(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn ship_lots(
        &self,
        request: Request<pb::ShipLotsRequest>,
    ) -> Result<Response<pb::ShipLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::ship_lots(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn read_parcel(
        &self,
        request: Request<pb::ReadParcelRequest>,
    ) -> Result<Response<pb::ReadParcelResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::read_parcel(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn refuse_lots(
        &self,
        request: Request<pb::RefuseLotsRequest>,
    ) -> Result<Response<pb::RefuseLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::refuse_lots(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn trace_lots(
        &self,
        request: Request<pb::TraceLotsRequest>,
    ) -> Result<Response<pb::TraceLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::trace(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn affected_lots(
        &self,
        request: Request<pb::AffectedLotsRequest>,
    ) -> Result<Response<pb::AffectedLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::affected(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn search_lots(
        &self,
        request: Request<pb::SearchLotsRequest>,
    ) -> Result<Response<pb::SearchLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::search(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn report_origin(
        &self,
        request: Request<pb::ReportOriginRequest>,
    ) -> Result<Response<pb::ReportOriginResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::origin(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_recalls(
        &self,
        request: Request<pb::ListRecallsRequest>,
    ) -> Result<Response<pb::ListRecallsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::recalls(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn show_recall(
        &self,
        request: Request<pb::ShowRecallRequest>,
    ) -> Result<Response<pb::ShowRecallResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::show_recall(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn note_recall(
        &self,
        request: Request<pb::NoteRecallRequest>,
    ) -> Result<Response<pb::NoteRecallResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::note_recall(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn acknowledge_recall(
        &self,
        request: Request<pb::AcknowledgeRecallRequest>,
    ) -> Result<Response<pb::AcknowledgeRecallResponse>, Status> {
        let desk = self.desk_for(&request)?;
        genealogy::acknowledge(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn drill_recall(
        &self,
        request: Request<pb::DrillRecallRequest>,
    ) -> Result<Response<pb::DrillRecallResponse>, Status> {
        genealogy::drill(&self.desk_for(&request)?).await.map(Response::new)
    }

    async fn drop_shipment(
        &self,
        request: Request<pb::DropShipmentRequest>,
    ) -> Result<Response<pb::DropShipmentResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::drop_shipment(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn build_capsule(
        &self,
        request: Request<pb::BuildCapsuleRequest>,
    ) -> Result<Response<pb::BuildCapsuleResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::build_capsule(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_parcels(
        &self,
        request: Request<pb::ListParcelsRequest>,
    ) -> Result<Response<pb::ListParcelsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        parcels::list_parcels(&desk).await.map(Response::new)
    }

    async fn receive_lots(
        &self,
        request: Request<pb::ReceiveLotsRequest>,
    ) -> Result<Response<pb::MakeLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let (plan, letter) = parcels::receive(&desk, request.into_inner()).await?;
        let made = self.in_time(desk.receive(plan)).await?;
        if let Some(letter) = letter {
            desk.drop_letter(letter).await.map_err(of_desk)?;
        }
        Ok(Response::new(lots::made(made)))
    }

    async fn cancel_parcel(
        &self,
        request: Request<pb::CancelParcelRequest>,
    ) -> Result<Response<pb::MakeLotsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        let transfer = parcels::id(&request.into_inner().transfer)?;
        let made = self.in_time(desk.cancel_parcel(transfer)).await?;
        Ok(Response::new(lots::made(made)))
    }

    async fn send_letter(
        &self,
        request: Request<pb::SendLetterRequest>,
    ) -> Result<Response<pb::SendLetterResponse>, Status> {
        let desk = self.desk_for(&request)?;
        post::send_letter(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_letters(
        &self,
        request: Request<pb::ListLettersRequest>,
    ) -> Result<Response<pb::ListLettersResponse>, Status> {
        let desk = self.desk_for(&request)?;
        post::list_letters(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn get_letter(
        &self,
        request: Request<pb::GetLetterRequest>,
    ) -> Result<Response<pb::GetLetterResponse>, Status> {
        let desk = self.desk_for(&request)?;
        post::get_letter(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn drop_letter(
        &self,
        request: Request<pb::DropLetterRequest>,
    ) -> Result<Response<pb::DropLetterResponse>, Status> {
        let desk = self.desk_for(&request)?;
        post::drop_letter(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_vault_log(
        &self,
        request: Request<pb::ListVaultLogRequest>,
    ) -> Result<Response<pb::ListVaultLogResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::list_vault_log(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn set_retention(
        &self,
        request: Request<pb::SetRetentionRequest>,
    ) -> Result<Response<pb::SetRetentionResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::set_retention(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn set_hold(
        &self,
        request: Request<pb::SetHoldRequest>,
    ) -> Result<Response<pb::SetHoldResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::set_hold(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn erase_record(
        &self,
        request: Request<pb::EraseRecordRequest>,
    ) -> Result<Response<pb::EraseRecordResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::erase_record(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn list_operators(
        &self,
        request: Request<pb::ListOperatorsRequest>,
    ) -> Result<Response<pb::ListOperatorsResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::list_operators(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn grant_operator(
        &self,
        request: Request<pb::GrantOperatorRequest>,
    ) -> Result<Response<pb::GrantOperatorResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::grant_operator(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn revoke_operator(
        &self,
        request: Request<pb::RevokeOperatorRequest>,
    ) -> Result<Response<pb::RevokeOperatorResponse>, Status> {
        let desk = self.desk_for(&request)?;
        keeping::revoke_operator(&desk, request.into_inner()).await.map(Response::new)
    }

    async fn backup_vault(
        &self,
        request: Request<pb::BackupVaultRequest>,
    ) -> Result<Response<BackupStream>, Status> {
        let desk = self.desk_for(&request)?;
        self.backup(&desk).map(Response::new)
    }
}

impl DeskApi {
    /// The desk on behalf of whoever asks; the guard has said that they may.
    pub(crate) fn desk_for<T>(&self, request: &Request<T>) -> Result<Desk, Status> {
        let identity = identity_of(request)?;
        if identity.member != self.node.member {
            let message = "the desk serves the node's own member only";
            return Err(refuse(Code::PermissionDenied, "not-own-member", message));
        }
        let key = identity.key.to_bytes();
        let operator = self.desk.admitted().operator(&key).map(|operator| operator.name);
        let name = operator.unwrap_or_else(|| OWN_KEY.to_owned());
        Ok(self.desk.acting(Actor::Client { key, name }))
    }

    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, DeskError>>,
    ) -> Result<T, Status> {
        let mut stop = self.node.stop.clone();
        tokio::select! {
            done = work => done.map_err(of_desk),
            () = tokio::time::sleep(self.node.limits.commit_timeout) => Err(pending()),
            _ = stop.wait_for(|stop| *stop) => Err(stopping()),
        }
    }
}

fn row(row: RecordRow) -> pb::RecordRow {
    let placement = row.placement.as_ref();
    pb::RecordRow {
        record_id: row.id.0.to_vec(),
        file_name: row.file_name,
        form: row.form,
        transaction_id: placement.map(|p| p.transaction_id.to_vec()).unwrap_or_default(),
        position: placement.map_or(0, |p| p.position),
        alert_subject: row.alert_subject.to_vec(),
        fields: row.fields,
        batch_proof: placement.map(batch_proof).unwrap_or_default(),
        retain_until_ms: row.retain_until_ms.unwrap_or(0),
        on_hold: row.hold.is_some(),
        erased_at_ms: row.erased_at_ms.unwrap_or(0),
        heat: row.material.heat,
        mass_mg: row.material.mass_mg.unwrap_or(0),
        commissions_nothing: row.material.commissions_nothing,
        superseded_by: row.superseded_by.map(|id| id.0.to_vec()).unwrap_or_default(),
        supersedes: row.supersedes.map(|id| id.0.to_vec()).unwrap_or_default(),
    }
}
