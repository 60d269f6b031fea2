//! The settings file that `heatmark config init` writes: every setting with its default and a
//! line that says what it is for.

use super::Mode;

/// The commented default as TOML; every setting stands in it.
#[must_use]
pub fn commented_default(moniker: &str, mode: Mode) -> String {
    let moniker = toml::Value::String(moniker.to_owned()).to_string();
    let mode = match mode {
        Mode::Validator => "validator",
        Mode::Observer => "observer",
    };
    TEMPLATE.replace("@MONIKER@", &moniker).replace("@MODE@", mode)
}

const TEMPLATE: &str = r#"# Settings of a Heatmark node. A flag (--set section.field=value) goes before an environment
# variable (HEATMARK_SECTION_FIELD), that before this file, this file before the default.
# What all nodes must agree on stands in the genesis file. See it all with: heatmark config check

[node]
# A name for people.
moniker = @MONIKER@
# The network's founding document and the directory of data; relative paths are meant from here.
genesis = "genesis.note"
data = "data"

[consensus]
# "validator" votes when its consensus key is in the validator set; "observer" verifies and never votes.
mode = "@MODE@"
# Where the engine listens for the other nodes' engines.
listen = "/ip4/127.0.0.1/tcp/26600"
# The other nodes, each ending in /p2p/<peer id>: "/dns4/mill.example/tcp/26600/p2p/12D3KooW…".
# `heatmark keys show --peer-id` prints a node's own.
peers = []
# How long to wait for a proposal and for votes to agree, how much longer each round, and at most.
# A validator that has fallen silent is given a tenth of it at its turns.
propose_timeout_ms = 1000
vote_timeout_ms = 300
timeout_step_ms = 250
longest_timeout_ms = 20000
# Least time from one block to the next while transactions wait; up to eight times as long while
# many do. An idle network writes only a rare heartbeat.
block_pace_ms = 20

[exchange]
# Where the exchange network listens. Leave it empty behind NAT: outbound connections suffice.
listen = ""
# Other nodes, each ending in /p2p/<peer id>.
peers = []

[api]
# gRPC with mutual TLS, for this organisation's programs and for members' nodes.
grpc_listen = "127.0.0.1:26620"
# Metrics and health, for the operator. Keep it off the public network.
http_listen = "127.0.0.1:26621"
# Who comes beyond these limits is refused with RESOURCE_EXHAUSTED and told when to try again. One
# member's limits are its own: they cannot be used up by another.
max_connections = 256
max_connections_per_member = 128
max_requests_per_connection = 64
max_requests_per_member = 8192
requests_per_second_per_member = 10000
request_timeout_ms = 60000
# Memory for requests that are not finished and answers that are not read, of one member and in all;
# whoever sends or reads nothing for so long loses its connection.
max_held_bytes_per_member = 67108864
max_held_bytes = 268435456
stall_timeout_ms = 30000

[mempool]
# How much may wait to be recorded, in all and of one member.
max_transactions = 50000
max_bytes = 67108864
max_member_transactions = 20000

[store]
# Memory of the database's cache. Every block is synced to disk before it counts.
block_cache_bytes = 67108864
# The node stops voting and ends, and does not start, while a disk under its data has fewer bytes free.
min_free_bytes = 268435456

[vault]
# What opens the vault, where the contents of your certificates are kept: "seed" (it derives from
# keys/seed.key), "file" (keys/vault.key, plain or under the passphrase) or "environment"
# (HEATMARK_VAULT_SECRET, 64 hex digits). Change it with: heatmark vault rekey
key = "seed"
# What a new record says is destroyed after so many days, unless it is on hold; 0 keeps it.
retention_days = 0

[lots]
# The capture plan: which events and fields must be recorded of which product, and how deep it is traced;
# empty for none. It is read when the node starts.
capture_plan = ""

[escrow]
# Where an arbiter's own systems are told what to collect, pay out and refund, besides the files in data/vault/outbox:
# "https://HOST/PATH", or http on this machine; empty for files only. Every post is signed as Standard Webhooks have it.
webhook_url = ""
# File of the secret for that, for your eyes only (chmod 600): "whsec_" and 24 to 64 random bytes in base64. A second
# line is a second secret, which signs as well while a receiver is moved to it.
webhook_secret_file = ""
# File of the authorities that the receiver's certificate may go back to, in PEM; empty for those that the system knows.
webhook_ca_file = ""
# The retention classes: which records are deposited with escrow agents as soon as they are published, what of them
# and under which policy; empty for none. It is read when the node starts.
retention_classes = ""

[log]
# What is logged to standard error, for example "info,heatmark_consensus=debug". The consensus
# engine and the network library tell every message at info.
filter = "info,arc_malachitebft=warn,libp2p=warn"
# "text" or "json".
format = "text"
"#;
