//! One direction of dialling between two nodes on one plane: a listener that the one dials in
//! place of the other, and what becomes of the bytes in between.

use super::rules::Condition;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Bytes that are delayed or lost as one.
const SEGMENT_BYTES: usize = 16 * 1024;

/// Segments under way in one direction of a connection; beyond it the sender must wait.
const SEGMENTS: usize = 1_024;

/// How long a dialler waits on a severed link until it has surely given up.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait when no connection can be accepted, for lack of descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What ails a link, as it changes.
pub(crate) type Ailing = watch::Receiver<Condition>;

/// Takes connections for ever and hands them on to the port that `target` names then.
pub(crate) async fn serve<F>(listener: TcpListener, ailing: Ailing, target: F)
where
    F: Fn() -> Option<u16> + Clone + Send + 'static,
{
    loop {
        let Ok((near, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (ailing, target) = (ailing.clone(), target.clone());
        tokio::spawn(async move {
            // A connection that breaks is what links are for; both ends see it.
            let _ = carry(near, ailing, target).await;
        });
    }
}

async fn carry(
    near: TcpStream,
    mut ailing: Ailing,
    target: impl Fn() -> Option<u16>,
) -> io::Result<()> {
    let begun = Instant::now();
    let resets = ailing.borrow().resets;
    whole(&mut ailing).await;
    if begun.elapsed() > DIAL_PATIENCE {
        return Ok(());
    }
    let round_trip = ailing.borrow().round_trip();
    tokio::time::sleep(round_trip).await;
    let Some(port) = target() else { return Ok(()) };
    let far = TcpStream::connect(("127.0.0.1", port)).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let there = forward(near_in, far_out, ailing.clone());
    let back = forward(far_in, near_out, ailing.clone());
    tokio::select! {
        ended = async { tokio::try_join!(there, back) } => ended.map(|_| ()),
        _ = ailing.wait_for(|condition| condition.resets != resets) => Ok(()),
    }
}

/// Carries bytes one way until their sender is done.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    ailing: Ailing,
) -> io::Result<()> {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(SEGMENTS);
    let mut departing = ailing.clone();
    let depart = async move {
        let mut last = Instant::now();
        loop {
            whole(&mut departing).await;
            let mut segment = vec![0; SEGMENT_BYTES];
            let length = from.read(&mut segment).await?;
            segment.truncate(length);
            let latency = departing.borrow().latency();
            let now = Instant::now();
            // What was sent later never arrives earlier.
            last = now.checked_add(latency).unwrap_or(now).max(last);
            if length == 0 || sender.send((last, segment)).await.is_err() {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let mut arriving = ailing;
    let arrive = async move {
        while let Some((due, segment)) = under_way.recv().await {
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            whole(&mut arriving).await;
            to.write_all(&segment).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(depart, arrive).map(|_| ())
}

/// Waits while the link is severed.
async fn whole(ailing: &mut Ailing) {
    // Nobody changes it any more: then it stays as it is, and this ends with the town.
    let _ = ailing.wait_for(|condition| !condition.severed).await;
}
