#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use tempfile::TempDir;

fn home_with(text: &str) -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("heatmark.toml"), text).unwrap();
    let home = Home::new(dir.path());
    (dir, home)
}

fn load_with(
    text: &str,
    environment: &[(&str, &str)],
    overrides: &[&str],
) -> Result<Config, ConfigError> {
    let (_dir, home) = home_with(text);
    let overrides: Vec<Override> = overrides.iter().map(|o| o.parse().unwrap()).collect();
    layers::load(&home, &overrides, &|name| {
        environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = load_with("", &[], &[]).unwrap();
    assert_eq!(config.node, NodeConfig::default());
    assert_eq!(config.api, ApiConfig::default());
    assert!(config.origins().values().all(|origin| *origin == Origin::Default));
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let name = "node.moniker";
    let file = "[node]\nmoniker = \"file\"\n";
    let environment = [("HEATMARK_NODE_MONIKER", "environment")];
    let flag = ["node.moniker=flag"];
    let seen = |config: Config| (config.node.moniker.clone(), config.origins()[name].clone());

    let all = load_with(file, &environment, &flag).unwrap();
    assert_eq!(seen(all), ("flag".to_owned(), Origin::Flag));
    let no_flag = load_with(file, &environment, &[]).unwrap();
    let origin = Origin::Environment("HEATMARK_NODE_MONIKER".to_owned());
    assert_eq!(seen(no_flag), ("environment".to_owned(), origin));
    let only_file = load_with(file, &[], &[]).unwrap();
    assert_eq!(seen(only_file), ("file".to_owned(), Origin::File));
    let nothing = load_with("", &[], &[]).unwrap();
    assert_eq!(seen(nothing), ("heatmark".to_owned(), Origin::Default));
}

#[test]
fn text_from_flags_and_environment_takes_the_settings_kind() {
    let config = load_with(
        "",
        &[("HEATMARK_CONSENSUS_PEERS", "/ip4/10.0.0.1/tcp/1, /ip4/10.0.0.2/tcp/2")],
        &["mempool.max_bytes=123", "log.format=json", "consensus.mode=validator"],
    )
    .unwrap();
    assert_eq!(config.consensus.peers, ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/2"]);
    assert_eq!(config.mempool.max_bytes, 123);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.consensus.mode, Mode::Validator);
}

#[test]
fn refuses_what_is_no_setting_in_every_layer() {
    for text in
        ["[nodes]\n", "[node]\nname = \"x\"\n", "moniker = \"x\"\n", "[store]\nfsync = false\n"]
    {
        let refused = load_with(text, &[], &[]).unwrap_err();
        assert!(matches!(refused, ConfigError::Toml { .. }), "{text:?}: {refused}");
    }
    for flag in ["node.name=x", "nodes.moniker=x", "node.moniker.x=y"] {
        let refused = load_with("", &[], &[flag]).unwrap_err();
        assert!(matches!(refused, ConfigError::Unknown(_)), "{flag}: {refused}");
    }
    assert!("moniker=x".parse::<Override>().is_err());
    assert!("node.moniker".parse::<Override>().is_err());
}

#[test]
fn refuses_values_of_the_wrong_kind_in_every_layer() {
    for text in ["[mempool]\nmax_bytes = \"x\"\n", "[consensus]\nmode = \"miner\"\n"] {
        assert!(load_with(text, &[], &[]).is_err(), "{text:?}");
    }
    for flag in ["mempool.max_bytes=x", "mempool.max_bytes=-1", "consensus.mode=miner"] {
        assert!(load_with("", &[], &[flag]).is_err(), "{flag}");
    }
    assert!(load_with("", &[("HEATMARK_MEMPOOL_MAX_BYTES", "many")], &[]).is_err());
}

#[test]
fn a_missing_file_is_told_from_a_broken_one() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Config::load(&Home::new(dir.path()), &[]).unwrap_err();
    assert!(matches!(refused, ConfigError::Missing(_)));
}

#[test]
fn the_commented_default_names_every_setting_and_changes_none() {
    let text = commented_default("heatmark", Mode::Observer);
    let config = load_with(&text, &[], &[]).unwrap();
    assert!(config.origins().values().all(|origin| *origin == Origin::File), "{config:?}");
    let plain = load_with("", &[], &[]).unwrap();
    assert_eq!(config.node, plain.node);
    assert_eq!(config.consensus, plain.consensus);
    assert_eq!(config.exchange, plain.exchange);
    assert_eq!(config.api, plain.api);
    assert_eq!(config.mempool, plain.mempool);
    assert_eq!(config.store, plain.store);
    assert_eq!(config.escrow, plain.escrow);
    assert_eq!(config.log, plain.log);
}

#[test]
fn a_moniker_with_quotes_stays_one_value() {
    let text = commented_default("a \"b\"\n[log]", Mode::Validator);
    let config = load_with(&text, &[], &[]).unwrap();
    assert_eq!(config.node.moniker, "a \"b\"\n[log]");
    assert_eq!(config.consensus.mode, Mode::Validator);
}

#[test]
fn paths_are_meant_from_the_home() {
    let (_dir, home) = home_with("[node]\ngenesis = \"/etc/genesis.note\"\ndata = \"store\"\n");
    let config = Config::load(&home, &[]).unwrap();
    assert_eq!(config.genesis_path(), PathBuf::from("/etc/genesis.note"));
    assert_eq!(config.log_dir(), home.path().join("store/log"));
    assert_eq!(config.wal_dir(), home.path().join("store/wal"));
    assert_eq!(config.vault_dir(), home.path().join("store/vault"));
}

fn fault_of<'f>(findings: &'f [Finding], what: &str) -> Option<&'f Finding> {
    findings.iter().find(|f| f.standing == Standing::Fault && f.what == what)
}

#[test]
fn the_check_finds_unpinned_peers_and_addresses_that_are_none() {
    let text = "[consensus]\nlisten = \"somewhere\"\npeers = [\"/ip4/10.0.0.1/tcp/26600\"]\n\
                [exchange]\npeers = [\"forge.example:26610\"]\n\
                [api]\ngrpc_listen = \"localhost\"\n[log]\nfilter = \"a=b=c\"\n";
    let findings = check(&load_with(text, &[], &[]).unwrap());
    assert!(fault_of(&findings, "consensus.listen").is_some());
    assert!(fault_of(&findings, "consensus.peers").unwrap().found.contains("/p2p/"));
    assert!(fault_of(&findings, "exchange.peers").is_some());
    assert!(fault_of(&findings, "api.grpc_listen").is_some());
    assert!(fault_of(&findings, "log.filter").is_some());
    assert!(fault_of(&findings, "genesis").is_some());
    assert!(fault_of(&findings, "keys/signing.key").is_some());
    assert!(fault_of(&findings, "keys/root.key").is_none(), "the root key belongs elsewhere");
    assert!(fault_of(&findings, "keys/consensus.key").is_none(), "an observer needs none");
}

#[test]
fn the_check_asks_a_validator_for_its_consensus_key() {
    let findings = check(&load_with("[consensus]\nmode = \"validator\"\n", &[], &[]).unwrap());
    assert!(fault_of(&findings, "keys/consensus.key").is_some());
}

#[test]
fn the_check_names_the_setting_of_a_webhook_that_is_wrong() {
    let found = |text: &str| check(&load_with(&format!("[escrow]\n{text}"), &[], &[]).unwrap());
    let plain = found("webhook_url = \"http://erp.example/pay\"\n");
    assert!(fault_of(&plain, "escrow.webhook_url").unwrap().found.contains("unencrypted"));
    let unsigned = found("webhook_url = \"https://erp.example/pay\"\n");
    assert!(fault_of(&unsigned, "escrow.webhook_secret_file").is_some());
    let text = "webhook_url = \"https://erp.example/pay\"\nwebhook_secret_file = \"none.secret\"\n";
    let missing = found(text);
    let fault = fault_of(&missing, "escrow.webhook_secret_file").unwrap();
    assert!(fault.found.contains("none.secret"), "{}", fault.found);
    let unused = found("webhook_secret_file = \"none.secret\"\n");
    assert!(unused.iter().any(|f| f.standing == Standing::Note && f.what == fault.what));
    assert!(fault_of(&unused, "escrow.webhook_secret_file").is_none());
}
