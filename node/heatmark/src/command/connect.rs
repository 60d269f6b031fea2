//! How commands reach a running node: their own by the home's settings, or another by address and
//! key. Refuses to talk before genesis is signed by all, since nothing could be verified.

use super::entry;
use super::failure::Failure;
use super::place::{HomeArgs, PassphraseArgs, SettingArgs, read_signed_genesis};
use crate::config::{Config, ConfigError};
use crate::home::Home;
use crate::keys::{self, KeyKind};
use clap::Args;
use heatmark_client::tls::Identity;
use heatmark_client::{DeskClient, LedgerClient, Target};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::{PublicKey, key_id, member_id};
use heatmark_ledger::messages::{KeyAlgorithm, KeyRole};
use heatmark_ledger::receipt::TrustRoot;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A node to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// Another node than the home's own
    #[arg(long, value_name = "HOST:PORT", requires = "server_key")]
    node: Option<String>,
    /// That node's p2p public key, as `heatmark keys show` prints it
    #[arg(long, value_name = "HEX", requires = "node")]
    server_key: Option<String>,
    /// An operator's key file instead of the home's own p2p key; see `heatmark vault grant`
    #[arg(long = "as", value_name = "FILE")]
    operator: Option<PathBuf>,
    /// The genesis file [default: the one in the home's settings]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// Everything it takes to connect.
pub(crate) struct Reach {
    pub(crate) home: Home,
    pub(crate) genesis: Genesis,
    pub(crate) trust: TrustRoot,
    pub(crate) member: MemberId,
    pub(crate) target: Target,
    identity: Identity,
}

impl NodeArgs {
    /// Where the passphrase comes from.
    pub(crate) fn passphrase(&self) -> &PassphraseArgs {
        &self.passphrase
    }

    /// The genesis file named by flag.
    pub(crate) fn genesis_flag(&self) -> Option<&Path> {
        self.genesis.as_deref()
    }

    /// The genesis file as a trust root, without any key.
    pub(crate) fn trust(&self) -> Result<TrustRoot, Failure> {
        let path = match &self.genesis {
            Some(path) => path.clone(),
            None => {
                let home = self.home.home()?;
                let config = match self.settings.load_plain(&home) {
                    Err(ConfigError::Missing(_)) => Config::default_for(&home),
                    other => other?,
                };
                config.genesis_path()
            }
        };
        Ok(TrustRoot::from_genesis(&read_signed_genesis(&path)?))
    }

    /// Reads settings, genesis and the p2p key.
    pub(crate) fn reach(&self) -> Result<Reach, Failure> {
        let home = self.home.home()?;
        let config = match self.settings.load_plain(&home) {
            Err(ConfigError::Missing(_)) if self.node.is_some() => Config::default_for(&home),
            other => other?,
        };
        let path = self.genesis.clone().unwrap_or_else(|| config.genesis_path());
        let genesis = read_signed_genesis(&path)?;
        let mut passphrase = self.passphrase.source();
        let own = keys::key_path(&home, KeyKind::P2p);
        let p2p =
            keys::load(self.operator.as_ref().unwrap_or(&own), KeyKind::P2p, &mut passphrase)?;
        let p2p = p2p.signing_key();
        let member = own_member(&home, &genesis, &PublicKey::of(&p2p))?;
        let target = match (&self.node, &self.server_key, &self.operator) {
            (Some(address), Some(key), _) => target(address, key)?,
            // The node's key is known without being opened.
            (_, _, Some(_)) => target_by(&config, &home)?,
            _ => Target { address: own_address(&config)?, server_key: PublicKey::of(&p2p) },
        };
        let trust = TrustRoot::from_genesis(&genesis);
        let identity = Identity::new(p2p, &member).map_err(heatmark_client::ClientError::from)?;
        Ok(Reach { home, genesis, trust, member, target, identity })
    }
}

impl Reach {
    pub(crate) async fn ledger(&self) -> Result<LedgerClient, Failure> {
        self.ledger_of(&self.target).await
    }

    pub(crate) async fn ledger_of(&self, target: &Target) -> Result<LedgerClient, Failure> {
        Ok(LedgerClient::connect(target, &self.identity, self.trust.clone()).await?)
    }

    pub(crate) async fn desk(&self) -> Result<DeskClient, Failure> {
        Ok(DeskClient::connect(&self.target, &self.identity, self.trust.clone()).await?)
    }
}

/// Runs a command's conversation with a node.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::unknown("the program could not start its runtime").because(error)
        })?
        .block_on(work)
}

/// A node by address and key.
pub(crate) fn target(address: &str, key: &str) -> Result<Target, Failure> {
    let server_key = hex::decode(key).ok().and_then(|key| PublicKey::from_bytes(&key).ok());
    let server_key = server_key.ok_or_else(|| {
        Failure::input(format!("{key:?} is no p2p public key"))
            .next("ask that node's operator for the p2p line of `heatmark keys show`")
    })?;
    Ok(Target { address: address.to_owned(), server_key })
}

/// A node by its home directory: the address in its settings, the key in its key file.
pub(crate) fn target_of_home(home: &Home) -> Result<Target, Failure> {
    target_by(&Config::load(home, &[])?, home)
}

fn target_by(config: &Config, home: &Home) -> Result<Target, Failure> {
    let public = keys::describe(&keys::key_path(home, KeyKind::P2p))?.public.unwrap_or_default();
    let server_key = PublicKey::from_bytes(&public)
        .map_err(|error| Failure::input("the p2p key is not acceptable").because(error))?;
    Ok(Target { address: own_address(config)?, server_key })
}

/// The address at which a node on this machine answers: the one it listens on, or loopback where
/// it listens on all.
fn own_address(config: &Config) -> Result<String, Failure> {
    let listen = &config.api.grpc_listen;
    let mut socket: SocketAddr = listen.parse().map_err(|error| {
        Failure::input(format!("api.grpc_listen is {listen:?}, no address and port"))
            .because(error)
            .next("mend the settings, then run: heatmark config check")
    })?;
    match socket.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => socket.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => socket.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => {}
    }
    Ok(socket.to_string())
}

/// The member that this home belongs to: by its entry's root key, or the founder with its p2p key.
pub(crate) fn own_member(
    home: &Home,
    genesis: &Genesis,
    p2p: &PublicKey,
) -> Result<MemberId, Failure> {
    let p2p = p2p.to_bytes();
    let founder = genesis.founders().find(|(_, founder)| {
        founder.keys.iter().any(|key| key.role() == KeyRole::P2p && key.key == p2p)
    });
    if let Some((member, _)) = founder {
        return Ok(*member);
    }
    let entry = entry::to_registry(&entry::read(&home.entry())?)?;
    let root = entry.keys.iter().find(|key| key.role() == KeyRole::Root);
    let root = root.ok_or_else(|| Failure::input("the home's entry.json has no root key"))?;
    Ok(member_id(&genesis.network(), &key_id(KeyAlgorithm::Ed25519, &root.key)))
}
