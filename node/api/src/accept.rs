//! Connections before they are any service's: accepted, shaken hands with in time, admitted by the
//! registry, counted. Refuses strangers, members over their share, and everybody when full; a
//! handshake holds none of the places of those who are in. Ends connections whose clients leave
//! answers lying.

use crate::config::ApiLimits;
use crate::metrics::ApiMetrics;
use crate::share::{Flow, Shares};
use heatmark_client::tls::{self, PeerIdentity, Registry};
use std::collections::BTreeMap;
use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
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

/// Who is at the other end, and what goes through the connection; every request carries it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) identity: PeerIdentity,
    pub(crate) flow: Arc<Flow>,
}

/// A connection of a member. It fails when its client leaves an answer lying for too long.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    client: Client,
    metrics: ApiMetrics,
    patience: Duration,
    look: Pin<Box<Sleep>>,
    /// Since when the socket takes nothing more.
    blocked: Option<Instant>,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>, client: Client, acceptor: &Acceptor) -> Self {
        let patience = acceptor.limits.stall_timeout;
        Self {
            stream,
            client,
            metrics: acceptor.metrics.clone(),
            patience,
            look: Box::pin(tokio::time::sleep(look_interval(patience))),
            blocked: None,
        }
    }

    /// Looks now and then whether the client still reads. Whoever serves a connection always reads
    /// from it, so this is where its end is noticed whatever else waits.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.look.as_mut().poll(cx).is_ready() {
            let blocked = self.blocked.is_some_and(|since| since.elapsed() >= self.patience);
            if blocked || self.client.flow.is_stalled(self.patience) {
                self.metrics.connection("stalled");
                return Err(io::ErrorKind::TimedOut.into());
            }
            let next = tokio::time::Instant::now().checked_add(look_interval(self.patience));
            self.look.as_mut().reset(next.unwrap_or_else(tokio::time::Instant::now));
        }
        Ok(())
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.blocked = None;
                self.client.flow.written(*bytes);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.blocked.get_or_insert_with(Instant::now);
            }
        }
    }
}

/// Often enough that patience is exceeded by a quarter at most, and never in a loop.
fn look_interval(patience: Duration) -> Duration {
    patience.div_f32(4.0).max(Duration::from_millis(20))
}

impl Connected for Connection {
    type ConnectInfo = Client;

    fn connect_info(&self) -> Client {
        self.client.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(_) => self.blocked = None,
            Poll::Pending => {
                self.blocked.get_or_insert_with(Instant::now);
            }
        }
        flushed
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
    addresses: Arc<Addresses>,
    shares: Arc<Shares>,
}

impl Acceptor {
    pub(crate) fn new(
        tls: TlsAcceptor,
        registry: Arc<dyn Registry>,
        limits: ApiLimits,
        metrics: ApiMetrics,
    ) -> Self {
        let handshakes = Arc::new(Semaphore::new(limits.max_handshakes));
        let shares = Shares::new(limits);
        let addresses = Arc::default();
        Self { tls, registry, limits, metrics, handshakes, addresses, shares }
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
            let Ok((stream, from)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let permit = Arc::clone(&self.handshakes).try_acquire_owned().ok();
            let most = self.limits.max_address_handshakes;
            let place = Addresses::take(&self.addresses, from.ip(), most);
            let (Some(permit), Some(place)) = (permit, place) else {
                self.metrics.connection("busy");
                continue;
            };
            let (acceptor, admitted) = (Arc::clone(&self), admitted.clone());
            let places = (permit, place);
            tokio::spawn(async move { acceptor.shake_hands(stream, places, admitted).await });
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        places: (OwnedSemaphorePermit, AddressPlace),
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
        drop(places);
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
        let flow = self.shares.connect(member).ok_or("full")?;
        let client = Client { identity: PeerIdentity { member, key }, flow };
        Ok(Connection::new(stream, client, self))
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

/// Handshakes under way from each address; only addresses with one are kept.
#[derive(Default)]
struct Addresses(Mutex<BTreeMap<IpAddr, usize>>);

impl Addresses {
    fn take(addresses: &Arc<Self>, from: IpAddr, most: usize) -> Option<AddressPlace> {
        let mut counts = addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(from).or_default();
        if *count >= most {
            return None;
        }
        *count = count.saturating_add(1);
        drop(counts);
        Some(AddressPlace { addresses: Arc::clone(addresses), from })
    }
}

/// One handshake's place among those of its address.
struct AddressPlace {
    addresses: Arc<Addresses>,
    from: IpAddr,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.from);
            }
        }
    }
}
