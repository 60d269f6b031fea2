//! A validator that lies, for tests: a whole node whose ledger side of consensus proposes what it
//! must not and serves what is not so. Never part of a release.
//!
//! `heatmark-liar HOME LIE,…` runs the node in HOME and tells one lie after the other, one at each
//! of its turns; standard input's end stops it. What it lies about stands in [`lies::Lie`].

mod lies;

use heatmark::config::Config;
use heatmark::keys::{KeyRing, Keys, PassphraseSource};
use heatmark::{Home, logging, run};
use heatmark_ledger::genesis::Genesis;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the liar does not run");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, told] = arguments.as_slice() else {
        return Err("usage: heatmark-liar HOME LIE,…".into());
    };
    let home = Home::new(home);
    let config = Config::load(&home, &[])?;
    logging::init(&config.log)?;
    let lies = lies::parse(told)?;
    let genesis = Genesis::parse(&std::fs::read(config.genesis_path())?)?;
    let keys = KeyRing::new(home.clone(), PassphraseSource::new(None));
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error ends the input as well; nobody listens once the node stops.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let runtime = heatmark::run::runtime()?;
    let stop = async {
        // Whether it was told so or its keeper is gone, it stops.
        let _ = end.await;
    };
    let signing = Keys::load(&home, &mut PassphraseSource::new(None))?.signing;
    let wrap = |honest, store: &_| {
        Arc::new(lies::Liar::new(honest, store, lies.clone(), signing.clone())) as Arc<_>
    };
    runtime.block_on(run::run_as(&config, keys, genesis, wrap, stop))?;
    Ok(())
}
