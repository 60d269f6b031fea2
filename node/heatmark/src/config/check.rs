//! Whether a node can run with its settings: files there and private, genesis signed, keys those
//! of a founder, addresses well formed and pinned. Changes nothing and opens no secret.

use super::{Config, Mode};
use crate::files;
use crate::keys::{self, KeyKind, KeysError, VaultKeySource};
use heatmark_ledger::genesis::{Genesis, MAX_GENESIS_BYTES};
use heatmark_proto::ledger::v1 as pb;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;
use std::net::SocketAddr;

/// How a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// As it should be.
    Ok,
    /// The node runs, but somebody should know.
    Note,
    /// The node cannot or must not run so.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub standing: Standing,
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, standing: Standing, what: impl Into<String>, found: impl Into<String>) {
        self.0.push(Finding { standing, what: what.into(), found: found.into() });
    }
}

/// Looks at everything that the settings name.
#[must_use]
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    check_node(config, &mut findings);
    check_addresses(config, &mut findings);
    check_capture(config, &mut findings);
    check_webhook(config, &mut findings);
    check_classes(config, &mut findings);
    let genesis = check_genesis(config, &mut findings);
    check_keys(config, genesis.as_ref(), &mut findings);
    findings.0
}

fn check_node(config: &Config, findings: &mut Findings) {
    let moniker = &config.node.moniker;
    if moniker.is_empty() || moniker.chars().count() > 64 || moniker.chars().any(char::is_control) {
        findings.add(Standing::Fault, "node.moniker", "must have 1 to 64 printable characters");
    }
    if config.log.filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
        findings.add(Standing::Fault, "log.filter", "is not a tracing filter");
    }
    let (engine, api) = (&config.consensus, &config.api);
    let positive = [
        ("consensus.propose_timeout_ms", engine.propose_timeout_ms),
        ("consensus.vote_timeout_ms", engine.vote_timeout_ms),
        ("consensus.longest_timeout_ms", engine.longest_timeout_ms),
        ("consensus.block_pace_ms", engine.block_pace_ms),
        ("api.request_timeout_ms", api.request_timeout_ms),
        ("api.max_connections", u64::from(api.max_connections)),
        ("api.max_connections_per_member", u64::from(api.max_connections_per_member)),
        ("api.max_requests_per_connection", u64::from(api.max_requests_per_connection)),
        ("api.max_requests_per_member", u64::from(api.max_requests_per_member)),
        ("api.requests_per_second_per_member", u64::from(api.requests_per_second_per_member)),
        ("api.max_held_bytes_per_member", api.max_held_bytes_per_member),
        ("api.max_held_bytes", api.max_held_bytes),
        ("api.stall_timeout_ms", api.stall_timeout_ms),
        ("mempool.max_transactions", u64::from(config.mempool.max_transactions)),
        ("mempool.max_member_transactions", u64::from(config.mempool.max_member_transactions)),
        ("mempool.max_bytes", config.mempool.max_bytes),
    ];
    for (name, value) in positive {
        if value == 0 {
            findings.add(Standing::Fault, name, "must be greater than 0");
        }
    }
}

fn check_addresses(config: &Config, findings: &mut Findings) {
    check_listen("consensus.listen", &config.consensus.listen, findings);
    if !config.exchange.listen.is_empty() {
        check_listen("exchange.listen", &config.exchange.listen, findings);
    } else {
        findings.add(
            Standing::Ok,
            "exchange.listen",
            "empty: outbound connections only, as behind NAT",
        );
    }
    for (name, peers) in
        [("consensus.peers", &config.consensus.peers), ("exchange.peers", &config.exchange.peers)]
    {
        check_peers(name, peers, findings);
    }
    for (name, address) in
        [("api.grpc_listen", &config.api.grpc_listen), ("api.http_listen", &config.api.http_listen)]
    {
        let open = name == "api.http_listen";
        match address.parse::<SocketAddr>() {
            Ok(socket) if open && !socket.ip().is_loopback() => findings.add(
                Standing::Note,
                name,
                format!("{socket} is reachable from outside this machine, and has no TLS"),
            ),
            Ok(socket) => findings.add(Standing::Ok, name, socket.to_string()),
            Err(_) => findings.add(
                Standing::Fault,
                name,
                format!("{address:?} is not an address and port such as 127.0.0.1:26620"),
            ),
        }
    }
}

fn check_capture(config: &Config, findings: &mut Findings) {
    let name = "lots.capture_plan";
    match (config.capture_plan_path(), crate::capture::plan(config)) {
        (None, _) => findings.add(Standing::Ok, name, "none: nothing is demanded of events"),
        (Some(_), Ok(plan)) => {
            findings.add(Standing::Ok, name, format!("{} products", plan.products()));
        }
        (Some(_), Err(error)) => {
            findings.add(Standing::Fault, name, crate::command::chain(&error));
        }
    }
}

fn check_webhook(config: &Config, findings: &mut Findings) {
    let (name, settings) = ("escrow.webhook_url", &config.escrow);
    match crate::webhook::hook(config) {
        Ok(None) => {
            let found = "none: what to do with money stands in files only";
            findings.add(Standing::Ok, name, found);
            if settings.webhook_secret_file.as_os_str() != "" {
                let found = "is not used without escrow.webhook_url";
                findings.add(Standing::Note, "escrow.webhook_secret_file", found);
            }
        }
        Ok(Some(hook)) => findings.add(Standing::Ok, name, hook.to_string()),
        Err(error) => {
            findings.add(Standing::Fault, error.setting(), crate::command::chain(&error));
        }
    }
}

fn check_classes(config: &Config, findings: &mut Findings) {
    let name = "escrow.retention_classes";
    match (config.retention_classes_path(), crate::classes::classes(config)) {
        (None, _) => findings.add(Standing::Ok, name, "none: nothing is deposited by itself"),
        (Some(_), Ok(classes)) => {
            findings.add(Standing::Ok, name, format!("{} classes", classes.count()));
        }
        (Some(_), Err(error)) => {
            findings.add(Standing::Fault, name, crate::command::chain(&error));
        }
    }
}

fn check_listen(name: &str, address: &str, findings: &mut Findings) {
    match address.parse::<Multiaddr>() {
        Ok(_) => findings.add(Standing::Ok, name, address),
        Err(_) => findings.add(
            Standing::Fault,
            name,
            format!("{address:?} is not a multiaddress such as /ip4/0.0.0.0/tcp/26600"),
        ),
    }
}

fn check_peers(name: &str, peers: &[String], findings: &mut Findings) {
    if peers.is_empty() {
        findings.add(Standing::Note, name, "none: this node finds nobody by itself");
        return;
    }
    let mut sound = 0_usize;
    for peer in peers {
        match peer.parse::<Multiaddr>() {
            Ok(address) if matches!(address.iter().last(), Some(Protocol::P2p(_))) => {
                sound = sound.saturating_add(1);
            }
            Ok(_) => findings.add(
                Standing::Fault,
                name,
                format!("{peer} is not pinned: end it in /p2p/<peer id>, so that no one else can answer there"),
            ),
            Err(_) => findings.add(Standing::Fault, name, format!("{peer:?} is not a multiaddress")),
        }
    }
    if sound == peers.len() {
        findings.add(Standing::Ok, name, format!("{sound} pinned"));
    }
}

fn check_genesis(config: &Config, findings: &mut Findings) -> Option<Genesis> {
    let path = config.genesis_path();
    let limit = u64::try_from(MAX_GENESIS_BYTES).unwrap_or(u64::MAX);
    let what = "genesis";
    let parsed = files::read(&path, limit)
        .map_err(|error| error.to_string())
        .and_then(|bytes| Genesis::parse(&bytes).map_err(|error| error.to_string()));
    match parsed {
        Err(error) => {
            findings.add(Standing::Fault, what, error);
            None
        }
        Ok(genesis) => {
            let missing: Vec<&str> = genesis.unsigned().map(|(_, name)| name).collect();
            if missing.is_empty() {
                let found = format!("{}, signed by all founders", genesis.network());
                findings.add(Standing::Ok, what, found);
            } else {
                let found = format!("not signed yet by {}", missing.join(", "));
                findings.add(Standing::Fault, what, found);
            }
            Some(genesis)
        }
    }
}

fn check_keys(config: &Config, genesis: Option<&Genesis>, findings: &mut Findings) {
    let home = config.home();
    let founder = founder_of(config, genesis);
    for kind in KeyKind::ALL {
        let what = format!("keys/{kind}.key");
        match keys::describe(&keys::key_path(&home, kind)) {
            Ok(_) if kind == KeyKind::Root => findings.add(
                Standing::Note,
                what,
                "is on this machine; move it offline once the ceremony is over",
            ),
            Ok(found) if found.kind != kind => {
                findings.add(Standing::Fault, what, format!("holds a {} key", found.kind));
            }
            Ok(found) => {
                let sealed = if found.sealed { "encrypted" } else { "not encrypted" };
                let (standing, found) = match (founder, found.public) {
                    (Some(founder), Some(public)) if !registered(founder, kind, &public) => (
                        Standing::Note,
                        "is not the key in this founder's genesis entry: right only if it was rotated since",
                    ),
                    _ => (Standing::Ok, sealed),
                };
                findings.add(standing, what, found);
            }
            Err(KeysError::File(missing)) if missing.is_missing() => {
                let optional = kind == KeyKind::Root
                    || (kind == KeyKind::Vault && config.vault.key != VaultKeySource::File)
                    || (kind == KeyKind::Consensus && config.consensus.mode == Mode::Observer);
                if !optional {
                    findings.add(Standing::Fault, what, "is missing");
                }
            }
            Err(error) => findings.add(Standing::Fault, what, error.to_string()),
        }
    }
    if let (Some(_), None) = (genesis, founder) {
        findings.add(
            Standing::Note,
            "member",
            "this home's signing key is no founder's: the node joins by vote, or after a rotation",
        );
    }
    if config.consensus.mode == Mode::Validator
        && founder.is_some_and(|f| !f.keys.iter().any(|k| k.role() == pb::KeyRole::Consensus))
    {
        findings.add(
            Standing::Note,
            "consensus.mode",
            "is validator, but this founder has no vote: the node only follows until voted in",
        );
    }
}

fn founder_of<'g>(config: &Config, genesis: Option<&'g Genesis>) -> Option<&'g pb::MemberEntry> {
    let signing = keys::describe(&keys::key_path(&config.home(), KeyKind::Signing)).ok()?.public?;
    let mut founders = genesis?.founders().map(|(_, entry)| entry);
    founders.find(|entry| registered(entry, KeyKind::Signing, &signing))
}

fn registered(entry: &pb::MemberEntry, kind: KeyKind, public: &[u8; 32]) -> bool {
    let role = kind.registered();
    entry.keys.iter().any(|key| Some(key.role()) == role && key.key == public)
}
