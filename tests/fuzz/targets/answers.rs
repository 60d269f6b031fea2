//! Requests as a node reads them and answers as a client does, as the codec of both takes them:
//! measured first, then decoded.

use crate::seeds;
use heatmark_fuzz::Target;
use heatmark_ledger::messages as pb;
use heatmark_proto::desk::v1 as desk;
use heatmark_proto::shape;
use prost::Message;

fn decoded<M: Message + Default + 'static>(input: &[u8]) -> Option<M> {
    shape::fits(input, shape::of::<M>()).then(|| M::decode(input).ok())?
}

fn reads<M: Message + Default + 'static>(input: &[u8]) -> bool {
    decoded::<M>(input).is_some()
}

#[test]
fn requests() {
    let envelope = seeds::envelopes().remove(0);
    let seeds = vec![
        pb::SubmitRequest { transaction: envelope, wait: true, trusted_height: 7 }.encode_to_vec(),
        pb::GetStateRequest { key: b"member/x".to_vec(), height: 3, trusted_height: 1 }
            .encode_to_vec(),
        pb::GetTileRequest { level: -1, index: 9, width: 200 }.encode_to_vec(),
        pb::StreamBlocksRequest { from_height: 1, to_height: 9, follow: true, headers_only: true }
            .encode_to_vec(),
    ];
    let run = |input: &[u8]| {
        [
            reads::<pb::SubmitRequest>(input),
            reads::<pb::GetReceiptRequest>(input),
            reads::<pb::GetStateRequest>(input),
            reads::<pb::GetTileRequest>(input),
            reads::<pb::GetHeaderRequest>(input),
            reads::<pb::StreamBlocksRequest>(input),
        ]
        .into_iter()
        .any(|read| read)
    };
    Target::new("requests", seeds, run).fuzz();
}

#[test]
fn desk_requests() {
    let body = pb::Envelope::decode(seeds::envelopes()[0].as_slice()).unwrap().body;
    let cosignature =
        pb::CoSignature { purpose: 1, public_key: vec![1; 32], signature: vec![2; 64] };
    let signed = desk::SignAndSubmitRequest {
        body: Some(pb::Body::decode(body.as_slice()).unwrap()),
        cosignatures: vec![cosignature; 2],
    };
    let file = desk::CertificateFile {
        name: "a.json".to_owned(),
        content: vec![7; 100],
        beside: vec![8; 10],
    };
    let publish = desk::PublishRequest { part: Some(desk::publish_request::Part::File(file)) };
    let attest = desk::AttestRequest {
        record_id: vec![1; 32],
        file: Some(desk::CertificateFile { name: "p.json".to_owned(), ..Default::default() }),
        disclosures: vec![vec![2; 90]; 2],
        confirms: vec!["heat".to_owned(), "chemistry/*".to_owned()],
    };
    let tolerance = desk::Tolerance { path: "chemistry/C".to_owned(), within: "0.02 %".to_owned() };
    let agree = desk::AgreeRequest {
        record_id: vec![1; 32],
        disclosure: vec![2; 90],
        tolerances: vec![tolerance; 2],
        receiver: vec![3; 32],
        purpose: "order".to_owned(),
    };
    let seeds = vec![
        signed.encode_to_vec(),
        publish.encode_to_vec(),
        attest.encode_to_vec(),
        agree.encode_to_vec(),
    ];
    let run = |input: &[u8]| {
        [
            reads::<desk::SignAndSubmitRequest>(input),
            reads::<desk::PublishRequest>(input),
            reads::<desk::RaiseAlertRequest>(input),
            reads::<desk::ListRecordsRequest>(input),
            reads::<desk::GrantOperatorRequest>(input),
            reads::<desk::SetHoldRequest>(input),
            reads::<desk::AttestRequest>(input),
            reads::<desk::AgreeRequest>(input),
        ]
        .into_iter()
        .any(|read| read)
    };
    // A body within may name a member with many short identifiers.
    Target::new("desk-requests", seeds, run).may_allocate(240, 64 << 10).fuzz();
}

#[test]
fn answers_with_evidence() {
    let receipt = seeds::receipt_message();
    let header = pb::GetHeaderResponse {
        header: receipt.header.clone(),
        certificate: receipt.certificate.clone(),
        set_changes: receipt.set_changes.clone(),
        next: receipt.set_changes.first().and_then(|change| change.next.clone()),
    };
    let state = pb::StateProof {
        key: b"key".to_vec(),
        value: b"value".to_vec(),
        present: true,
        proof: vec![0; 100],
        header: receipt.header.clone(),
        certificate: receipt.certificate.clone(),
        set_changes: receipt.set_changes.clone(),
    };
    let seeds = vec![
        pb::GetReceiptResponse { receipt: Some(receipt.clone()) }.encode_to_vec(),
        pb::SubmitResponse { transaction_id: vec![1; 32], receipt: Some(receipt) }.encode_to_vec(),
        header.encode_to_vec(),
        pb::GetStateResponse { proof: Some(state) }.encode_to_vec(),
    ];
    let run = |input: &[u8]| {
        [
            reads::<pb::GetReceiptResponse>(input),
            reads::<pb::SubmitResponse>(input),
            reads::<pb::GetHeaderResponse>(input),
            reads::<pb::GetStateResponse>(input),
            reads::<pb::StreamBlocksResponse>(input),
        ]
        .into_iter()
        .any(|read| read)
    };
    Target::new("evidence-answers", seeds, run).may_allocate(150, 64 << 10).fuzz();
}

#[test]
fn other_answers() {
    let (genesis, _) = seeds::chain();
    let values = genesis.state().unwrap().into_values().flatten();
    let states = values.filter_map(|value| pb::MemberState::decode(value.as_slice()).ok());
    let rows = states.map(|state| pb::MemberRow { member: vec![1; 32], state: Some(state) });
    let members = pb::ListMembersResponse { members: rows.take(3).collect(), height: 9 };
    let record = desk::RecordRow {
        record_id: vec![1; 32],
        file_name: "plate.json".to_owned(),
        ..desk::RecordRow::default()
    };
    let refused = desk::FileRefused { name: "b".to_owned(), faults: vec!["no heat".to_owned()] };
    let seeds = vec![
        members.encode_to_vec(),
        pb::GetTileResponse { tile: vec![1; 640] }.encode_to_vec(),
        desk::ListRecordsResponse { records: vec![record; 2] }.encode_to_vec(),
        desk::PublishResponse { event: Some(desk::publish_response::Event::Refused(refused)) }
            .encode_to_vec(),
    ];
    let run = |input: &[u8]| {
        [
            reads::<pb::ListMembersResponse>(input),
            reads::<pb::GetTileResponse>(input),
            reads::<pb::GetStatusResponse>(input),
            reads::<desk::ListRecordsResponse>(input),
            reads::<desk::PublishResponse>(input),
            reads::<desk::RaiseAlertResponse>(input),
            reads::<desk::SignAndSubmitResponse>(input),
            reads::<desk::AttestResponse>(input),
        ]
        .into_iter()
        .any(|read| read)
    };
    Target::new("answers", seeds, run).may_allocate(300, 64 << 10).fuzz();
}
