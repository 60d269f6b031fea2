//! A validator whose clock is wrong while the others' are right: set by libfaketime, which is
//! loaded into its process and follows a file. The monotonic clock stays true, as when somebody
//! sets a machine's clock.

use super::{LONG, Play};
use crate::devnet::Devnet;
use crate::error::{DevnetError, io_error};
use heatmark::keys::KeyKind;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::validators::ValidatorSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PLACES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// Within what the default parameters permit.
const LITTLE_MS: i64 = 2_000;
const MUCH_MS: i64 = 300_000;
/// What the default parameters permit.
const SKEW_MS: u64 = 5_000;
const POLL: Duration = Duration::from_millis(100);
/// How long the process may go on with the clock it had.
const CACHED_S: &str = "1";

/// A node's clock that can be set.
#[derive(Debug, Clone)]
pub struct FakeClock {
    file: PathBuf,
}

impl FakeClock {
    /// Where libfaketime is, as Debian's package `faketime` installs it; none when it is not there.
    #[must_use]
    pub fn library() -> Option<&'static Path> {
        PLACES.iter().map(Path::new).find(|path| path.exists())
    }

    /// Gives a node such a clock, right at first, from the node's next start on.
    ///
    /// # Errors
    /// [`DevnetError::Claim`] when libfaketime is not there.
    pub fn give(devnet: &mut Devnet, name: &str) -> Result<Self, DevnetError> {
        let library = Self::library().ok_or_else(|| {
            let missing = "libfaketime is not here (Debian: apt-get install faketime)";
            DevnetError::Claim(missing.to_owned())
        })?;
        let clock = Self { file: devnet.directory().join(format!("clock-{name}")) };
        clock.set(0)?;
        let variables = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", clock.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", CACHED_S.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        for (variable, value) in variables {
            devnet.set_environment(name, variable, &value);
        }
        Ok(clock)
    }

    /// Sets it, so many milliseconds ahead of the true time.
    ///
    /// # Errors
    /// [`DevnetError::Io`].
    pub fn set(&self, ahead_ms: i64) -> Result<(), DevnetError> {
        let sign = if ahead_ms < 0 { '-' } else { '+' };
        let ms = ahead_ms.unsigned_abs();
        let text = format!("{sign}{}.{:03}\n", ms.wrapping_div(1_000), ms.wrapping_rem(1_000));
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, text).map_err(io_error(fresh.display()))?;
        fs::rename(&fresh, &self.file).map_err(io_error(self.file.display()))
    }
}

/// A clock within bounds harms nobody; one far off costs its validator its vote and nobody else
/// anything; it is told so; and once it is right its validator votes again.
pub(super) async fn clock(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let name = play.validator(3)?;
    let clock = FakeClock::give(play.devnet, &name)?;
    play.devnet.stop(&name).await?;
    play.devnet.restart(&name).await?;
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    votes_again(play, &name).await?;
    // Behind: a clock ahead, within bounds, takes the network's time along and cannot be told.
    clock.set(LITTLE_MS.saturating_neg())?;
    let shown = difference(play, &name, |ms| (-4_000..-1_000).contains(&ms)).await?;
    play.tell(&format!("{name}'s clock is off by {shown} ms, within bounds"));
    votes_again(play, &name).await?;
    for ahead_ms in [-MUCH_MS, MUCH_MS] {
        clock.set(ahead_ms)?;
        let near = |ms: i64| ms.abs_diff(ahead_ms) < MUCH_MS.unsigned_abs().wrapping_div(10);
        let shown = difference(play, &name, near).await?;
        play.tell(&format!("{name}'s clock is off by {shown} ms, and {name} knows"));
        play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the others go on")?;
        tokio::time::sleep(play.extent.lasting).await;
        play.agree_on_newest().await?;
        play.claim(true, &format!("{name} follows what the others decide"))?;
        right_time(play).await?;
    }
    clock.set(0)?;
    difference(play, &name, |ms| ms.abs() < 1_000).await?;
    votes_again(play, &name).await?;
    warned(play, &name)?;
    play.conclude(traffic).await
}

/// Waits until a node tells such a difference between its clock and the others'.
async fn difference(
    play: &Play<'_>,
    name: &str,
    wanted: impl Fn(i64) -> bool,
) -> Result<i64, DevnetError> {
    let port = play.devnet.node(name)?.ports.http;
    let (begun, mut told) = (Instant::now(), None);
    while begun.elapsed() < LONG {
        let metrics = scrape(port).await.unwrap_or_default();
        let line = "heatmark_clock_difference_milliseconds ";
        told = metrics.lines().find_map(|text| text.strip_prefix(line)?.trim().parse().ok());
        if let Some(ms) = told.filter(|ms| wanted(*ms)) {
            return Ok(ms);
        }
        tokio::time::sleep(POLL).await;
    }
    Err(DevnetError::Claim(format!("{name} knows how far its clock is off; it tells {told:?}")))
}

async fn scrape(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = String::new();
    stream.take(1_024 * 1_024).read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// Waits until a validator's signature certifies a block again.
async fn votes_again(play: &mut Play<'_>, name: &str) -> Result<(), DevnetError> {
    let begun = Instant::now();
    while !voted(play, name).await? {
        if begun.elapsed() > LONG {
            return Err(DevnetError::Claim(format!("{name} takes part in decisions")));
        }
        tokio::time::sleep(POLL).await;
    }
    play.claim(true, &format!("{name} takes part in decisions"))
}

/// Whether a validator's signature stands under the newest block.
async fn voted(play: &Play<'_>, name: &str) -> Result<bool, DevnetError> {
    let witness = play.validator(0)?;
    let client = play.devnet.client(&witness).await?;
    let newest = client.header(None).await;
    let newest = newest.map_err(|source| DevnetError::Client { name: witness.clone(), source })?;
    let own = PublicKey::of(&play.devnet.key(name, KeyKind::Consensus)?).to_bytes();
    // The set does not change here: that of the next height signed this one as well.
    let set: &ValidatorSet = &newest.next;
    let position = set.position(&own).and_then(|position| u32::try_from(position).ok());
    let certificate = &newest.certificate;
    Ok(certificate.signatures.iter().any(|one| Some(one.validator) == position))
}

/// The newest block's time is no further ahead of the true one than is permitted.
async fn right_time(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let witness = play.validator(0)?;
    let newest = play.devnet.client(&witness).await?.header(None).await;
    let newest = newest.map_err(|source| DevnetError::Client { name: witness, source })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(SKEW_MS);
    play.claim(newest.header.time.0 <= latest, "the wrong time gets into no block")
}

fn warned(play: &mut Play<'_>, name: &str) -> Result<(), DevnetError> {
    let node = play.devnet.node(name)?;
    let log = fs::read_to_string(&node.log).map_err(io_error(node.log.display()))?;
    let warned = log.contains("this machine's clock differs from the other validators'");
    let righted = log.contains("this machine's clock is right again");
    play.claim(warned && righted, &format!("{name}'s log says that its clock was wrong"))
}
