//! A town for one test, and what tests do in it.

use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_client::{ClientError, Proven};
use heatmark_devnet::{Devnet, HeldPorts, Keeping, Plan, Program};
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction;
use prost::bytes::Bytes;
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// Debug builds of five nodes on a busy machine of two cores are slow; a fast one waits no longer
/// than it must.
pub(crate) const LONG: Duration = Duration::from_secs(120);

static TURN: Mutex<()> = Mutex::const_new(());

pub(crate) struct Town {
    pub(crate) devnet: Devnet,
    directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Town {
    /// Four validators and one observer, up and ready.
    pub(crate) async fn up(parameters: &[&str]) -> Self {
        let (mut town, held) = Self::founded(parameters).await;
        town.devnet.start(held).await.unwrap();
        town
    }

    /// As [`Self::up`], with links that can be broken.
    pub(crate) async fn linked(parameters: &[&str]) -> Self {
        let (mut town, held) = Self::founded_with(parameters, true, None).await;
        town.devnet.start(held).await.unwrap();
        town
    }

    /// Four validators and one observer, of which none runs yet.
    pub(crate) async fn founded(parameters: &[&str]) -> (Self, Vec<HeldPorts>) {
        Self::founded_with(parameters, false, None).await
    }

    /// As [`Self::founded`], with links or without, and logging what is wanted.
    pub(crate) async fn founded_with(
        parameters: &[&str],
        linked: bool,
        log_filter: Option<&str>,
    ) -> (Self, Vec<HeldPorts>) {
        Self::founded_among(1, parameters, linked, log_filter).await
    }

    /// As [`Self::founded_with`], with so many observers.
    pub(crate) async fn founded_among(
        observers: usize,
        parameters: &[&str],
        linked: bool,
        log_filter: Option<&str>,
    ) -> (Self, Vec<HeldPorts>) {
        let turn = TURN.lock().await;
        let directory = tempfile::Builder::new().prefix("heatmark-test-").tempdir().unwrap();
        let place = directory.path().canonicalize().unwrap();
        let program = Program::find(None, &place).unwrap();
        let plan = Plan {
            directory: place,
            validators: 4,
            observers,
            parameters: parameters.iter().map(|parameter| (*parameter).to_owned()).collect(),
            log_filter: log_filter.map(str::to_owned),
            keeping: Keeping::Kept,
        };
        let found = if linked { Devnet::found_linked } else { Devnet::found };
        let (devnet, held) = found(&program, plan, &mut |_| {}).unwrap();
        (Self { devnet, directory, _turn: turn }, held)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn names_but(&self, but: &[&str]) -> Vec<String> {
        self.devnet.names().into_iter().filter(|name| !but.contains(&name.as_str())).collect()
    }

    /// Runs a command in the town's directory; it must end with this exit code and answer JSON.
    pub(crate) fn command(&self, code: i32, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let ran = self.devnet.program().run_expecting(code, &arguments).unwrap();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// An anchor signed by an organisation.
    pub(crate) fn anchor(&self, name: &str) -> Bytes {
        let key = self.devnet.key(name, KeyKind::Signing).unwrap();
        self.anchor_signed(&key)
    }

    pub(crate) fn anchor_signed(&self, key: &SigningKey) -> Bytes {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let anchor = pb::Anchor { root: rand::random::<[u8; 32]>().to_vec(), records: 1 };
        let body = pb::Body {
            not_before_ms: now - 4_000,
            not_after_ms: now + 300_000,
            nonce: rand::random::<[u8; 16]>().to_vec(),
            payload: Some(pb::body::Payload::Anchor(anchor)),
        };
        transaction::sign(&self.devnet.genesis().unwrap().network(), key, &body, Vec::new())
    }

    /// Commits an anchor of an organisation through its own node; the receipt is verified.
    pub(crate) async fn commit(&self, name: &str) -> Result<Proven, ClientError> {
        let client = self.devnet.client(name).await.unwrap();
        client.submit_and_wait(self.anchor(name), LONG).await
    }

    /// All these nodes hold one header with at least so many leaves.
    pub(crate) async fn agree(&self, names: &[String], leaves: u64) {
        self.devnet.agree(names, leaves, LONG).await.unwrap();
    }

    /// Ends the town; every node that still ran must end gracefully.
    pub(crate) async fn down(self) {
        self.down_keeping_files(|_| {}).await;
    }

    /// Ends the town, then looks at what it leaves behind.
    pub(crate) async fn down_keeping_files(mut self, look: impl FnOnce(&Self)) {
        for node in self.devnet.down().await.unwrap() {
            assert_eq!((node.killed, node.code), (false, Some(0)), "{}", node.name);
        }
        assert!(!self.devnet.record().is_running());
        look(&self);
    }
}
