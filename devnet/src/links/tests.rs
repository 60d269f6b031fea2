//! What links do to bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const LONG: Duration = Duration::from_secs(30);

/// A node that answers every byte with it, behind a link.
async fn echo() -> (TcpStream, watch::Sender<Condition>) {
    let node = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = node.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = node.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let link = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = link.local_addr().unwrap();
    let (conditions, ailing) = watch::channel(Condition::default());
    tokio::spawn(proxy::serve(link, ailing, move || Some(port)));
    (TcpStream::connect(address).await.unwrap(), conditions)
}

async fn answered(stream: &mut TcpStream, byte: u8) -> Duration {
    let begun = Instant::now();
    stream.write_all(&[byte]).await.unwrap();
    let mut answer = [0];
    tokio::time::timeout(LONG, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, [byte]);
    begun.elapsed()
}

#[tokio::test]
async fn a_severed_link_is_silent_and_delivers_once_it_is_whole() {
    let (mut stream, conditions) = echo().await;
    answered(&mut stream, 1).await;
    conditions.send_replace(Condition { severed: true, ..Condition::default() });
    stream.write_all(&[2, 3]).await.unwrap();
    let mut answer = [0; 2];
    let silent = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut answer));
    assert!(silent.await.is_err());
    conditions.send_replace(Condition::default());
    let read = stream.read_exact(&mut answer[..]);
    tokio::time::timeout(LONG, read).await.unwrap().unwrap();
    assert_eq!(answer, [2, 3]);
}

#[tokio::test]
async fn delay_and_loss_slow_a_link_and_keep_the_order() {
    let (mut stream, conditions) = echo().await;
    conditions.send_replace(Condition { delay_ms: 60, jitter_ms: 20, ..Condition::default() });
    assert!(answered(&mut stream, 7).await >= Duration::from_millis(80));
    conditions.send_replace(Condition { loss_percent: 30, jitter_ms: 30, ..Condition::default() });
    let (mut from, mut to) = stream.into_split();
    let sent: Vec<u8> = (0..40).collect();
    let bytes = sent.clone();
    tokio::spawn(async move {
        for byte in bytes {
            to.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Kept open until everything is back.
        tokio::time::sleep(LONG).await;
    });
    let mut back = vec![0; sent.len()];
    tokio::time::timeout(LONG, from.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, sent);
}

#[tokio::test]
async fn a_reset_breaks_what_is_connected_and_a_new_connection_stands() {
    let (mut stream, conditions) = echo().await;
    answered(&mut stream, 1).await;
    conditions.send_modify(|condition| condition.resets += 1);
    let mut byte = [0];
    let ended = tokio::time::timeout(LONG, stream.read(&mut byte)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    let mut again = TcpStream::connect(stream.peer_addr().unwrap()).await.unwrap();
    answered(&mut again, 2).await;
}

#[test]
fn a_lost_segment_waits_for_its_repetition() {
    let condition = Condition { loss_percent: 100, delay_ms: 100, ..Condition::default() };
    // 400 ms, doubled five times.
    assert_eq!(condition.latency(), Duration::from_millis(100 + 400 * 63));
    assert_eq!(Condition::default().latency(), Duration::ZERO);
}

#[test]
fn rules_name_a_pair_whichever_way_it_is_called_and_survive_their_file() {
    let mut rules = Rules::default();
    rules.condition_mut("mill", "forge").severed = true;
    rules.condition_mut("lab", "mill").delay_ms = 5;
    assert!(rules.condition("forge", "mill").severed);
    assert_eq!(rules.condition("forge", "lab"), Condition::default());
    let place = tempfile::tempdir().unwrap();
    rules.write(place.path()).unwrap();
    assert_eq!(Rules::read(place.path()).unwrap(), rules);
}
