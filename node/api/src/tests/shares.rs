//! What one member gets, and that it is its own.

use super::{chain, start};
use crate::ApiLimits;
use chain::anchor;
use prost::bytes::Bytes;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn member_above_its_rate_is_told_when_to_try_again_and_others_are_served() {
    let limits = ApiLimits { max_member_requests_per_s: 2, ..ApiLimits::default() };
    let server = start(2, limits).await;
    let client = server.client(1).await;
    let mut refused = None;
    for _ in 0..50 {
        if let Err(error) = client.status().await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.refusal_code(), Some("rate"));
    let wait = refused.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500), "{wait:?}");
    server.client(0).await.status().await.unwrap();
    // What it is told holds.
    for _ in 0..20 {
        tokio::time::sleep(wait).await;
        if client.status().await.is_ok() {
            return;
        }
    }
    panic!("the rate never came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn member_has_so_many_requests_at_once_over_all_of_its_connections() {
    let limits = ApiLimits { max_member_requests: 2, ..ApiLimits::default() };
    let server = start(2, limits).await;
    let mut waiting = Vec::new();
    for nonce in 1..=2 {
        let client = server.client(1).await;
        let envelope = server.chain.signed(1, anchor(nonce), nonce);
        // The request that connecting made may take its place for a moment longer.
        waiting.push(tokio::spawn(async move {
            loop {
                match client.submit_and_wait(envelope.clone(), LONG).await {
                    Err(error) if error.refusal_code() == Some("too-many-requests") => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    other => return other,
                }
            }
        }));
        let mut pool = server.chain.mempool.subscribe();
        let both = pool.wait_for(|waiting| *waiting == u64::from(nonce));
        tokio::time::timeout(LONG, both).await.unwrap().unwrap();
    }
    let third = server.connect_with(&server.chain.members[1].p2p).await.unwrap_err();
    assert_eq!(third.refusal_code(), Some("too-many-requests"));
    server.client(0).await.status().await.unwrap();
    server.chain.produce(None);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    let key = &server.chain.members[1].p2p;
    let served = tokio::time::timeout(LONG, async {
        while server.connect_with(key).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    served.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_bad_signatures_is_cut_short_and_costs_no_other_member() {
    let limits = ApiLimits { max_member_refusals_per_s: 2, ..ApiLimits::default() };
    let server = start(2, limits).await;
    let client = server.client(1).await;
    let mut codes = Vec::new();
    for nonce in 0..20 {
        let mut broken = server.chain.signed(1, anchor(nonce), nonce).to_vec();
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let error = client.submit(Bytes::from(broken)).await.unwrap_err();
        codes.push(error.refusal_code().unwrap().to_owned());
    }
    assert!(codes[..4].iter().all(|code| code == "bad-signature"), "{codes:?}");
    let cut = codes.iter().filter(|code| *code == "too-many-refused").count();
    assert!(cut >= 5, "{codes:?}");
    // Its honest transactions wait as well, other members' do not.
    server.client(0).await.submit(server.chain.signed(0, anchor(99), 99)).await.unwrap();
    // Everything but submitting goes on.
    client.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_all_members_are_bounded() {
    let limits = ApiLimits { max_connections: 2, ..ApiLimits::default() };
    let server = start(3, limits).await;
    let (_one, _two) = (server.client(0).await, server.client(1).await);
    assert!(server.connect_with(&server.chain.members[2].p2p).await.unwrap_err().is_unreachable());
}
