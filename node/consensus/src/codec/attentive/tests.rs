//! What peers say of themselves is heard, and nothing else changes.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::sync::Request;
use arc_malachitebft_sync::ValueRequest;

fn status(height: u64) -> Status<Heatmark> {
    Status {
        peer_id: PeerId::from_bytes(&libp2p::PeerId::random().to_bytes()).unwrap(),
        tip_height: crate::context::Height(height),
        history_min_height: crate::context::Height(1),
    }
}

#[test]
fn the_highest_claim_is_heard_and_lower_ones_change_nothing() {
    let (codec, heard) = AttentiveCodec::new(Height(4));
    for (claimed, highest) in [(3, 4), (9, 9), (7, 9), (12, 12)] {
        let bytes = LedgerCodec.encode(&status(claimed)).unwrap();
        let read: Status<Heatmark> = codec.decode(bytes).unwrap();
        assert_eq!(read.tip_height.0, claimed);
        assert_eq!(*heard.borrow(), Height(highest));
    }
}

#[test]
fn other_messages_and_refused_ones_are_no_claims() {
    let (codec, heard) = AttentiveCodec::new(Height(4));
    let range = crate::context::Height(5)..=crate::context::Height(60);
    let request: Request<Heatmark> = Request::ValueRequest(ValueRequest::new(range));
    let bytes = codec.encode(&request).unwrap();
    assert_eq!(bytes, LedgerCodec.encode(&request).unwrap());
    let _: Request<Heatmark> = codec.decode(bytes).unwrap();
    let mut bytes = LedgerCodec.encode(&status(80)).unwrap().to_vec();
    bytes.push(0);
    let refused: Result<Status<Heatmark>, _> = codec.decode(bytes.into());
    assert!(refused.is_err());
    assert_eq!(*heard.borrow(), Height(4));
}
