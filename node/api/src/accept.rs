//! Connections before they are any service's: accepted, shaken hands with in time, admitted by the
//! registry, counted. Refuses strangers, members over their share, and everybody when full; a
//! handshake holds none of the places of those who are in.

use crate::config::ApiLimits;
use crate::metrics::ApiMetrics;
use heatmark_client::tls::{self, PeerIdentity, Registry};
use heatmark_ledger::ids::MemberId;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// Admitted connections that wait for the server to take them.
const ADMITTED_QUEUE: usize = 64;
/// Pause after the system refuses a connection, as it does when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long, and how many reads of 1 KiB, a refused client is listened to.
const GOODBYE: Duration = Duration::from_secs(1);
const GOODBYE_READS: usize = 16;

/// A connection of a member.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    identity: PeerIdentity,
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = PeerIdentity;

    fn connect_info(&self) -> PeerIdentity {
        self.identity
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Accepts connections; ends, and stops listening, when whoever takes them is gone.
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    registry: Arc<dyn Registry>,
    limits: ApiLimits,
    metrics: ApiMetrics,
    handshakes: Arc<Semaphore>,
    places: Arc<Places>,
}

impl Acceptor {
    pub(crate) fn new(
        tls: TlsAcceptor,
        registry: Arc<dyn Registry>,
        limits: ApiLimits,
        metrics: ApiMetrics,
    ) -> Self {
        let places = Places {
            all: Arc::new(Semaphore::new(limits.max_connections)),
            members: Mutex::default(),
            member_limit: limits.max_member_connections,
        };
        let handshakes = Arc::new(Semaphore::new(limits.max_handshakes));
        Self { tls, registry, limits, metrics, handshakes, places: Arc::new(places) }
    }

    pub(crate) fn run(self, listener: TcpListener) -> mpsc::Receiver<io::Result<Connection>> {
        let (admitted, incoming) = mpsc::channel(ADMITTED_QUEUE);
        tokio::spawn(Arc::new(self).accept(listener, admitted));
        incoming
    }

    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        admitted: mpsc::Sender<io::Result<Connection>>,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = admitted.closed() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&self.handshakes).try_acquire_owned() else {
                self.metrics.connection("busy");
                continue;
            };
            let (acceptor, admitted) = (Arc::clone(&self), admitted.clone());
            tokio::spawn(async move { acceptor.shake_hands(stream, permit, admitted).await });
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        admitted: mpsc::Sender<io::Result<Connection>>,
    ) {
        let outcome = match self.admit(stream).await {
            Ok(connection) => {
                // Gone with the server, if it is; the connection closes then.
                let _ = admitted.send(Ok(connection)).await;
                "admitted"
            }
            Err(reason) => reason,
        };
        drop(permit);
        self.metrics.connection(outcome);
        tracing::debug!(outcome, "a client connected");
    }

    async fn admit(&self, stream: TcpStream) -> Result<Connection, &'static str> {
        stream.set_nodelay(true).map_err(|_| "broken")?;
        let handshake = self.tls.accept(stream).into_fallible();
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, handshake);
        let stream = match handshake.await.map_err(|_| "slow")? {
            Ok(stream) => stream,
            Err((_, stream)) => {
                say_goodbye(stream).await;
                return Err("refused");
            }
        };
        let key = tls::peer_key(stream.get_ref().1.peer_certificates()).ok_or("refused")?;
        let member = self.registry.member_of(&key).map_err(|_| "broken")?.ok_or("refused")?;
        let place = Places::take(&self.places, member).ok_or("full")?;
        Ok(Connection { stream, identity: PeerIdentity { member, key }, _place: place })
    }
}

/// Lets the alert arrive that says why: closing with bytes unread would make the system take it
/// back. Bounded, since the other end is a stranger.
async fn say_goodbye(mut stream: TcpStream) {
    let goodbye = async {
        stream.shutdown().await?;
        let mut unread = [0; 1_024];
        for _ in 0..GOODBYE_READS {
            if stream.read(&mut unread).await? == 0 {
                break;
            }
        }
        Ok::<_, io::Error>(())
    };
    // However it ends, the connection is closed.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// How many connections there are, and whose.
struct Places {
    all: Arc<Semaphore>,
    members: Mutex<BTreeMap<MemberId, usize>>,
    member_limit: usize,
}

impl Places {
    fn take(places: &Arc<Self>, member: MemberId) -> Option<Place> {
        let permit = Arc::clone(&places.all).try_acquire_owned().ok()?;
        let mut members = places.members.lock().unwrap_or_else(PoisonError::into_inner);
        let held = members.entry(member).or_default();
        if *held >= places.member_limit {
            return None;
        }
        *held = held.saturating_add(1);
        drop(members);
        Some(Place { places: Arc::clone(places), member, _permit: permit })
    }
}

/// One connection's place, given back when it closes.
struct Place {
    places: Arc<Places>,
    member: MemberId,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.places.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = members.get_mut(&self.member) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                members.remove(&self.member);
            }
        }
    }
}
