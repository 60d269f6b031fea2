//! Keeps the links of a town on a thread of its own, so that they carry bytes whatever their
//! keeper is busy with.

use super::LinkRecord;
use super::proxy::{self, Ailing};
use super::rules::{self, Condition, Rules};
use crate::error::{DevnetError, io_error};
use crate::record::Record;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

const FOLLOW: Duration = Duration::from_millis(25);

/// The thread; the links end with it.
#[derive(Debug)]
pub(crate) struct LinkKeeper {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl LinkKeeper {
    /// Binds the ports of all links and carries what is dialled there from now on.
    ///
    /// # Errors
    /// [`DevnetError::Io`] with the port that is taken.
    pub(crate) fn start(directory: &Path, links: &[LinkRecord]) -> Result<Self, DevnetError> {
        rules::forget_applied(directory);
        let mut bound = Vec::new();
        for link in links {
            let place = format!("127.0.0.1:{}", link.port);
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, link.port))
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .map_err(io_error(place))?;
            bound.push((link.clone(), listener));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(io_error("links"))?;
        let (stop, stopped) = watch::channel(false);
        let directory = directory.to_owned();
        let work = move || {
            // Its caller sees links that carry nothing, and says so after its deadline.
            let _ = runtime.block_on(keep(directory, bound, stopped));
        };
        let thread = thread::Builder::new().name("links".to_owned()).spawn(work);
        Ok(Self { stop, thread: Some(thread.map_err(io_error("links"))?) })
    }
}

impl Drop for LinkKeeper {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

async fn keep(
    directory: PathBuf,
    bound: Vec<(LinkRecord, TcpListener)>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut conditions: BTreeMap<[String; 2], watch::Sender<Condition>> = BTreeMap::new();
    for (link, listener) in bound {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let sender = conditions.entry(link.between()).or_default();
        let ailing: Ailing = sender.subscribe();
        let (directory, plane, to) = (directory.clone(), link.plane, link.to);
        // Asked each time: nodes may be given other ports.
        let target = move || {
            let record = Record::read(&directory).ok()?;
            record.nodes.iter().find(|node| node.name == to).map(|node| plane.port(&node.ports))
        };
        tokio::spawn(proxy::serve(listener, ailing, target));
    }
    let follow = async {
        let mut known = None;
        loop {
            if let Ok(rules) = Rules::read(&directory)
                && known != Some(rules.sequence)
            {
                for (between, sender) in &conditions {
                    let [one, other] = between;
                    sender.send_replace(rules.condition(one, other));
                }
                if rules::note_applied(&directory, rules.sequence).is_ok() {
                    known = Some(rules.sequence);
                }
            }
            tokio::time::sleep(FOLLOW).await;
        }
    };
    tokio::select! {
        () = follow => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(())
}
