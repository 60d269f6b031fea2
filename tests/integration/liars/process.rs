//! A process beside the town's own nodes: the lying program in a member's home, or a second run of
//! an honest one under the same keys. It is killed when the test ends, however it ends.

use crate::town::Town;
use heatmark_devnet::{HeldPorts, NodeRecord};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(super) struct Liar {
    child: Child,
    log: PathBuf,
}

impl Liar {
    /// Runs the lying program in a member's own home.
    pub(super) fn start(town: &Town, name: &str, lies: &str) -> Self {
        let program = town.devnet.program().path().with_file_name("heatmark-liar");
        assert!(program.is_file(), "build it first: cargo build --workspace --bins");
        let mut command = Command::new(program);
        command.arg(&town.devnet.node(name).unwrap().home).arg(lies);
        Self::spawn(command, town.path(&format!("{name}-liar.log")))
    }

    /// Runs the honest program in a copy of a member's home: the same keys, another disk. `near` are
    /// those that find the copy under that member's address, and whom it knows; the others find the
    /// original, and it them. Nobody is running yet.
    pub(super) fn twin(town: &Town, name: &str, near: &[&str]) -> Self {
        let own = town.devnet.node(name).unwrap();
        let copy = town.path(&format!("{name}-twin"));
        copy_keys(&own.home, &copy);
        let ports = HeldPorts::bind().unwrap();
        let free = ports.ports();
        for node in town.devnet.nodes().iter().filter(|node| node.name != name) {
            let address = |node: &NodeRecord, port: u16| {
                format!("\"/ip4/127.0.0.1/tcp/{port}/p2p/{}\"", node.peer_id)
            };
            let theirs = address(node, node.ports.consensus);
            if near.contains(&node.name.as_str()) {
                leave_out(&own.home, &theirs);
                let original = address(own, own.ports.consensus);
                rewrite(&node.home, &original, &address(own, free.consensus));
            } else {
                leave_out(&copy, &theirs);
            }
        }
        let mut command = town.devnet.program().command();
        command.args(["node", "run", "--stop-on-stdin-close", "--home"]).arg(&copy);
        for (setting, value) in [
            ("consensus.listen", format!("/ip4/127.0.0.1/tcp/{}", free.consensus)),
            ("exchange.listen", format!("/ip4/127.0.0.1/tcp/{}", free.exchange)),
            ("api.grpc_listen", format!("127.0.0.1:{}", free.grpc)),
            ("api.http_listen", format!("127.0.0.1:{}", free.http)),
        ] {
            command.args(["--set", &format!("{setting}={value}")]);
        }
        drop(ports);
        Self::spawn(command, town.path(&format!("{name}-twin.log")))
    }

    fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let errors = file.try_clone().unwrap();
        let child = command.stdin(Stdio::piped()).stdout(file).stderr(errors).spawn().unwrap();
        Self { child, log }
    }

    /// What it has logged so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once.
    pub(super) fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Everything of a home but what a running node wrote.
fn copy_keys(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to.join("keys")).unwrap();
    for file in fs::read_dir(from).unwrap().chain(fs::read_dir(from.join("keys")).unwrap()) {
        let path = file.unwrap().path();
        if path.is_file() {
            let inside = path.strip_prefix(from).unwrap();
            fs::copy(&path, to.join(inside)).unwrap();
        }
    }
}

/// Changes a home's settings; they must hold what is replaced.
fn rewrite(home: &std::path::Path, old: &str, new: &str) {
    let settings = home.join("heatmark.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains(old), "{old} is not in {}", settings.display());
    fs::write(&settings, text.replace(old, new)).unwrap();
}

/// Takes an address out of a list of them.
fn leave_out(home: &std::path::Path, address: &str) {
    let settings = home.join("heatmark.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let without = text.replace(&format!("{address}, "), "").replace(&format!(", {address}"), "");
    assert!(!without.contains(address), "{address} is still in {}", settings.display());
    fs::write(&settings, without).unwrap();
}
