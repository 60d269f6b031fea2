//! Settings of a webhook and single posts; and a receiver on loopback that does as it is told.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use crate::home::Home;
use hyper::StatusCode;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
pub(crate) const GENEROUS: Duration = Duration::from_secs(120);

/// What a receiver does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Answers with these bytes and closes.
    Bytes(String),
    /// Answers with these bytes, and then with others for as long as they are read.
    Endless(String),
    /// Reads, and never answers.
    Silence,
    /// Reads, and closes.
    HangUp,
}

impl Reply {
    pub(crate) fn status(status: &str) -> Self {
        Self::Bytes(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// Whether it is signed, as a receiver finds out for itself.
    pub(crate) fn is_signed(&self) -> bool {
        use base64::Engine as _;
        use hmac::{KeyInit as _, Mac as _};
        let engine = base64::engine::general_purpose::STANDARD;
        let secret = engine.decode(SECRET.trim().strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
        mac.update(self.id().as_bytes());
        mac.update(b".");
        mac.update(self.headers["webhook-timestamp"].as_bytes());
        mac.update(b".");
        mac.update(&self.body);
        let given = self.headers["webhook-signature"].strip_prefix("v1,").unwrap();
        mac.verify_slice(&engine.decode(given).unwrap()).is_ok()
    }
}

/// A receiver on loopback.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts one; `reply` is given what came, and how many came before.
    pub(crate) async fn start(
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::begin(reply, None).await
    }

    async fn begin(
        reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, seen) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut before = 0;
            while let Ok((socket, _)) = listener.accept().await {
                match &tls {
                    None => serve(socket, &reply, &mut before, &told).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(socket).await {
                            serve(stream, &reply, &mut before, &told).await;
                        }
                    }
                }
            }
        });
        Self { address, seen, task }
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Seen {
        timeout(GENEROUS, self.seen.recv()).await.expect("a post").expect("a receiver")
    }

    /// Whether nothing else has come.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    /// What else has come.
    pub(crate) fn rest(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/pay?from=node", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    mut stream: S,
    reply: &(impl Fn(usize, &Seen) -> Reply + Sync),
    before: &mut usize,
    told: &mpsc::UnboundedSender<Seen>,
) {
    let Some(seen) = read_request(&mut stream).await else { return };
    let answer = reply(*before, &seen);
    *before += 1;
    // A test that has seen enough is no fault.
    let _ = told.send(seen);
    match answer {
        Reply::HangUp => {}
        Reply::Bytes(bytes) => {
            // That the other end has gone is its affair.
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Endless(bytes) => {
            tokio::spawn(async move {
                let mut written = stream.write_all(bytes.as_bytes()).await;
                while written.is_ok() {
                    written = stream.write_all(&[b'a'; 4096]).await;
                }
            });
        }
        Reply::Silence => {
            tokio::spawn(async move {
                // Until the other end has had enough.
                let _ = stream.read(&mut [0; 1]).await;
            });
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { line, headers, body })
}

/// Settings with a webhook, in a home of their own.
pub(crate) fn settings(url: &str) -> (TempDir, Config) {
    let place = tempfile::tempdir().unwrap();
    let secret = place.path().join("webhook.secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let mut config = Config::default_for(&Home::new(place.path()));
    config.escrow.webhook_url = url.to_owned();
    config.escrow.webhook_secret_file = "webhook.secret".into();
    (place, config)
}

pub(crate) fn hook_to(url: &str) -> Hook {
    let (_place, config) = settings(url);
    hook(&config).unwrap().unwrap()
}

fn refusal(url: &str) -> WebhookError {
    let (_place, config) = settings(url);
    hook(&config).err().unwrap_or_else(|| panic!("{url} was taken"))
}

#[test]
fn signs_as_the_standard_does() {
    let secrets = Secrets::parse(SECRET.as_bytes()).unwrap();
    let signature =
        secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn every_secret_of_the_file_signs() {
    let other = format!("whsec_{}", "A".repeat(43));
    let both = Secrets::parse(format!("{SECRET}\n{other}=\n").as_bytes()).unwrap();
    let unpadded = Secrets::parse(other.as_bytes()).unwrap();
    let first = Secrets::parse(SECRET.as_bytes()).unwrap();
    let signed = |secrets: &Secrets| secrets.sign("a", 1, b"{}");
    assert_eq!(signed(&both), format!("{} {}", signed(&first), signed(&unpadded)));
    assert_eq!(both.count(), 2);
}

#[test]
fn refuses_what_is_no_secret() {
    let five = SECRET.repeat(5);
    let long = format!("whsec_{}", "A".repeat(87));
    let short = format!("whsec_{}", "A".repeat(31));
    let texts =
        ["", "\n", "plJ3nmyCDGBKInavdOK15jsl", "whsec_", "whsec_%%%%", &five, &long, &short];
    for text in texts {
        let refused = Secrets::parse(text.as_bytes()).err();
        assert!(matches!(refused, Some(WebhookError::NotASecret)), "{text:?}");
    }
    assert!(matches!(Secrets::parse(&[0xff]).err(), Some(WebhookError::NotASecret)));
}

#[test]
fn nothing_goes_to_another_machine_unencrypted() {
    for url in [
        "http://erp.example/pay",
        "HTTP://192.168.0.7/pay",
        "http://127.0.0.1.example/pay",
        "http://[2001:db8::1]/pay",
        "http://localhost.example/",
    ] {
        assert!(matches!(refusal(url), WebhookError::Plain), "{url}");
    }
    for url in ["http://127.0.0.1:8080/pay", "http://[::1]/", "http://localhost"] {
        assert!(hook_to(url).target.tls.is_none(), "{url}");
    }
}

#[test]
fn refuses_addresses_that_are_none() {
    for url in [
        "erp.example/pay",
        "ftp://erp.example/pay",
        "https://",
        "https:///pay",
        "https://erp.example:0/pay",
        "https://erp.example:99999/pay",
        "https://erp.example:/pay",
        "https://erp.example/pay#here",
        "https://erp example/pay",
        "/pay",
        "é",
    ] {
        assert!(matches!(refusal(url), WebhookError::NotAUrl), "{url}");
    }
    let refused = refusal("http://anna:secret@127.0.0.1/pay");
    assert!(matches!(refused, WebhookError::Credentials), "{refused}");
}

#[test]
fn refuses_a_secret_that_others_may_read_and_one_that_is_not_there() {
    let (place, mut config) = settings("http://127.0.0.1/pay");
    let secret = place.path().join("webhook.secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(hook(&config).err(), Some(WebhookError::SecretFile(_))));
    config.escrow.webhook_secret_file = "none".into();
    assert!(matches!(hook(&config).err(), Some(WebhookError::SecretFile(_))));
    config.escrow.webhook_secret_file = "".into();
    assert!(matches!(hook(&config).err(), Some(WebhookError::NoSecret)));
    config.escrow.webhook_url.clear();
    assert!(hook(&config).unwrap().is_none());
}

#[tokio::test]
async fn a_post_has_what_the_standard_asks_for() {
    let mut receiver = Receiver::start(|_, _| Reply::status("204 No Content")).await;
    let hook = hook_to(&receiver.url());
    hook.post("a-collect", b"{}\n".to_vec(), 1_731_705_121).await.unwrap();
    let seen = receiver.next().await;
    assert_eq!(seen.line, "POST /pay?from=node HTTP/1.1");
    assert_eq!(seen.headers["host"], receiver.address.to_string());
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["webhook-timestamp"], "1731705121");
    assert_eq!((seen.id(), seen.body.as_slice()), ("a-collect", &b"{}\n"[..]));
    assert!(seen.is_signed());
}

#[tokio::test]
async fn only_2xx_takes_and_redirects_lead_nowhere() {
    let mut elsewhere = Receiver::start(|_, _| Reply::status("200 OK")).await;
    let there = elsewhere.url();
    let statuses =
        ["302 Found", "307 Temporary Redirect", "400 Bad Request", "410 Gone", "503 Busy"];
    let receiver = Receiver::start(move |before, _| {
        let (status, there) = (statuses[before], &there);
        Reply::Bytes(format!("HTTP/1.1 {status}\r\nlocation: {there}\r\ncontent-length: 0\r\n\r\n"))
    })
    .await;
    let hook = hook_to(&receiver.url());
    for status in statuses {
        let refused = hook.post("a", Vec::new(), 1).await.unwrap_err();
        let PostError::Status(given) = &refused else { panic!("{refused}") };
        assert!(status.starts_with(given.as_str()), "{given}");
        assert_eq!(refused.is_of_the_message(), *given != StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(elsewhere.is_quiet());
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n";
    let receiver = Receiver::start(move |before, _| match before {
        0 => Reply::Endless(ok.to_owned()),
        1 => Reply::Endless("HTTP/1.1 200 OK\r\nx-long: ".to_owned()),
        _ => {
            Reply::Endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n".to_owned())
        }
    })
    .await;
    let hook = hook_to(&receiver.url());
    let post = || hook.post("a", Vec::new(), 1);
    timeout(GENEROUS, post()).await.expect("an end").unwrap();
    let refused = timeout(GENEROUS, post()).await.expect("an end").unwrap_err();
    assert!(matches!(refused, PostError::Http(_)), "{refused}");
    timeout(GENEROUS, post()).await.expect("an end").unwrap();
}

#[tokio::test]
async fn silence_hanging_up_and_other_tongues_are_failures_of_the_receiver() {
    let receiver = Receiver::start(|before, _| match before {
        0 => Reply::Silence,
        1 => Reply::HangUp,
        _ => Reply::Bytes("220 mail.example ESMTP\r\n".to_owned()),
    })
    .await;
    let mut hook = hook_to(&receiver.url());
    hook.patience = Duration::from_millis(200);
    let refused = hook.post("a", Vec::new(), 1).await.unwrap_err();
    assert!(matches!(refused, PostError::TooLate), "{refused}");
    hook.patience = GENEROUS;
    for _ in 0..2 {
        let refused = hook.post("a", Vec::new(), 1).await.unwrap_err();
        assert!(matches!(refused, PostError::Http(_)), "{refused}");
        assert!(!refused.is_of_the_message());
    }
    let url = receiver.url();
    drop(receiver);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let refused = hook_to(&gone).post("a", Vec::new(), 1).await.unwrap_err();
    assert!(matches!(refused, PostError::Connect(_)), "{refused} {url}");
}

/// A certificate for 127.0.0.1, its own authority; and who shows it.
fn shown() -> (String, TlsAcceptor) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (certificate.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn posts_only_to_whom_the_named_authorities_know() {
    let (own, tls) = shown();
    let (other, _) = shown();
    let mut receiver = Receiver::begin(|_, _| Reply::status("200 OK"), Some(tls)).await;
    let (place, mut config) = settings(&format!("https://{}/pay", receiver.address));
    config.escrow.webhook_ca_file = "ca.pem".into();
    let post = async |ca: &str| {
        fs::write(place.path().join("ca.pem"), ca).unwrap();
        hook(&config).unwrap().unwrap().post("a", Vec::new(), 1).await
    };
    let refused = post(&other).await.unwrap_err();
    assert!(matches!(refused, PostError::Tls(_)), "{refused}");
    assert!(receiver.is_quiet(), "nothing may leave before the receiver is known");
    post(&format!("{other}{own}")).await.unwrap();
    assert!(receiver.next().await.is_signed());
}

#[test]
fn refuses_authorities_that_are_none() {
    let (place, mut config) = settings("https://127.0.0.1/pay");
    config.escrow.webhook_ca_file = "ca.pem".into();
    assert!(matches!(hook(&config).err(), Some(WebhookError::CaFile(_))));
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["", "no certificate", cut] {
        fs::write(place.path().join("ca.pem"), text).unwrap();
        assert!(matches!(hook(&config).err(), Some(WebhookError::NoCertificate)), "{text}");
    }
}
