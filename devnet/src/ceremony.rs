//! How a town is founded: every organisation makes its keys, one document is written from their
//! entries, each signs it, each node gets its settings. All of it by the commands that companies
//! type, so that the ceremony itself is tried every time.

use crate::devnet::Plan;
use crate::error::{DevnetError, io_error};
use crate::links::{self, Plane};
use crate::organisation::{Organisation, cast};
use crate::ports::HeldPorts;
use crate::program::{Program, Ran};
use crate::record::{NodeRecord, Record};
use heatmark::Home;
use heatmark::config::{Config, Mode};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The founding document, in a town's directory and in every home.
pub(crate) const GENESIS: &str = "genesis.note";

/// Name of the network.
const NETWORK: &str = "devnet";

/// Founds a town; `hear` is told of every command. The ports are held until they are dropped.
pub(crate) fn found(
    program: &Program,
    plan: &Plan,
    linked: bool,
    hear: &mut dyn FnMut(&Ran),
) -> Result<(Record, Vec<HeldPorts>), DevnetError> {
    let directory = &plan.directory;
    let town = cast(plan.validators, plan.observers);
    let mut held = Vec::new();
    let mut nodes = Vec::new();
    for organisation in &town {
        let ports = HeldPorts::bind()?;
        hear(&generate_keys(program, organisation)?);
        let shown = program
            .run_expecting(0, &["keys", "show", "--home", &organisation.name, "--peer-id"])?;
        let home = directory.join(&organisation.name);
        nodes.push(NodeRecord {
            name: organisation.name.clone(),
            legal_name: organisation.legal_name.clone(),
            role: organisation.roles.join(", "),
            validator: organisation.validator,
            log: directory.join("logs").join(format!("{}.log", organisation.name)),
            home,
            ports: ports.ports(),
            peer_id: shown.stdout.trim().to_owned(),
            process: None,
        });
        held.push(ports);
    }
    let network = sign_all(program, plan, &town, hear)?;
    let logs = directory.join("logs");
    fs::create_dir_all(&logs).map_err(io_error(logs.display()))?;
    let links = if linked { links::lay(&nodes)? } else { Vec::new() };
    let heatmark = program.path().to_owned();
    let record = Record { network, heatmark, keeper: None, nodes, links, links_process: None };
    for node in &record.nodes {
        copy_genesis(directory, &node.home)?;
        write_settings(&record, node, plan)?;
    }
    Ok((record, held))
}

/// Gives all nodes new ports, after somebody took one of theirs.
pub(crate) fn move_ports(record: &mut Record, plan: &Plan) -> Result<Vec<HeldPorts>, DevnetError> {
    let mut held = Vec::new();
    for node in &mut record.nodes {
        let ports = HeldPorts::bind()?;
        node.ports = ports.ports();
        held.push(ports);
    }
    for node in &record.nodes {
        write_settings(record, node, plan)?;
    }
    Ok(held)
}

/// Makes an organisation's keys.
pub(crate) fn generate_keys(
    program: &Program,
    organisation: &Organisation,
) -> Result<Ran, DevnetError> {
    let mut arguments = vec!["keys", "generate", "--home", &organisation.name];
    arguments.extend(["--legal-name", &organisation.legal_name]);
    arguments.extend(["--country", organisation.country]);
    arguments.extend(organisation.roles.iter().flat_map(|role| ["--role", *role]));
    if organisation.validator {
        arguments.push("--validator");
    }
    program.run_expecting(0, &arguments)
}

fn sign_all(
    program: &Program,
    plan: &Plan,
    town: &[Organisation],
    hear: &mut dyn FnMut(&Ran),
) -> Result<String, DevnetError> {
    let entries: Vec<String> = town.iter().map(|o| format!("{}/entry.json", o.name)).collect();
    let mut arguments = vec!["--json", "network", "init", "--name", NETWORK, "--out", GENESIS];
    for parameter in &plan.parameters {
        arguments.extend(["--parameter", parameter]);
    }
    arguments.extend(entries.iter().map(String::as_str));
    let founded = program.run_expecting(0, &arguments)?;
    hear(&founded);
    for organisation in town {
        let home = organisation.name.as_str();
        hear(&program.run_expecting(0, &["network", "sign", GENESIS, "--home", home])?);
    }
    let path = plan.directory.join(GENESIS);
    let json: Value = serde_json::from_str(&founded.stdout)
        .map_err(|source| DevnetError::Record { path, source })?;
    Ok(json.get("network").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Hands a founding document to a home.
pub(crate) fn copy_genesis(directory: &Path, home: &Path) -> Result<(), DevnetError> {
    let copy = home.join(GENESIS);
    fs::copy(directory.join(GENESIS), &copy).map_err(io_error(copy.display()))?;
    Ok(())
}

/// Writes a node's settings file: everybody else in the record is its peer.
pub(crate) fn write_settings(
    record: &Record,
    node: &NodeRecord,
    plan: &Plan,
) -> Result<(), DevnetError> {
    let mut config = Config::default();
    config.node.moniker.clone_from(&node.name);
    config.consensus.mode = if node.validator { Mode::Validator } else { Mode::Observer };
    config.consensus.listen = listen(node.ports.consensus);
    config.consensus.peers = peers(record, node, Plane::Consensus);
    config.exchange.listen = listen(node.ports.exchange);
    config.exchange.peers = peers(record, node, Plane::Exchange);
    config.api.grpc_listen = format!("127.0.0.1:{}", node.ports.grpc);
    config.api.http_listen = format!("127.0.0.1:{}", node.ports.http);
    if let Some(filter) = &plan.log_filter {
        config.log.filter.clone_from(filter);
    }
    let text = format!(
        "# Settings of {} on the devnet. All settings, explained: heatmark config init --stdout\n\n{}",
        node.legal_name,
        toml::to_string(&config)?
    );
    let path = Home::new(&node.home).config();
    fs::write(&path, text).map_err(io_error(path.display()))
}

/// Where to dial everybody else: at their links where there are such.
fn peers(record: &Record, own: &NodeRecord, plane: Plane) -> Vec<String> {
    let port = |node: &NodeRecord| {
        let link = record
            .links
            .iter()
            .find(|link| link.from == own.name && link.to == node.name && link.plane == plane);
        link.map_or_else(|| plane.port(&node.ports), |link| link.port)
    };
    let others = record.nodes.iter().filter(|node| node.name != own.name);
    others.map(|node| format!("{}/p2p/{}", listen(port(node)), node.peer_id)).collect()
}

fn listen(port: u16) -> String {
    format!("/ip4/127.0.0.1/tcp/{port}")
}
