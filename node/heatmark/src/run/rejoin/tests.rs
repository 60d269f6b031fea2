#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use super::*;
use crate::home::Home;
use crate::keys::{KeyKind, PassphraseSource, SecretKey, write_all};
use tempfile::TempDir;

struct Node {
    _directory: TempDir,
    config: Config,
    keys: Keys,
}

fn node() -> Node {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path().join("mill"));
    let made: Vec<_> = KeyKind::ALL.map(|kind| SecretKey::generate(kind).unwrap()).into();
    write_all(&home, &made, &mut PassphraseSource::none()).unwrap();
    fs::write(home.config(), "[consensus]\nmode = \"validator\"\n").unwrap();
    let config = Config::load(&home, &[]).unwrap();
    fs::create_dir_all(config.wal_dir()).unwrap();
    let keys = Keys::load(&home, &mut PassphraseSource::none()).unwrap();
    Node { _directory: directory, config, keys }
}

impl Node {
    fn decide(&self, tip: u64) -> Voice {
        decide(&self.config, &self.keys, Height(tip)).unwrap()
    }

    fn set_past(&self, past: Past) {
        voting::remember(&self.config.home(), &self.key(), past).unwrap();
    }

    fn key(&self) -> PublicKey {
        PublicKey::of(self.keys.consensus.as_ref().unwrap())
    }

    fn past(&self) -> Option<Past> {
        voting::past(&self.config.home(), &self.key()).unwrap()
    }

    /// A journal without entries, as the engine begins one for a height.
    fn set_journal(&self, height: u64) {
        let bytes = [&1_u32.to_be_bytes()[..], &height.to_be_bytes()[..]].concat();
        fs::write(self.config.wal_dir().join("consensus.wal"), bytes).unwrap();
    }
}

#[test]
fn a_new_key_votes_at_once_and_counts_as_having_voted_from_then_on() {
    let node = node();
    node.set_past(Past::NeverVoted);
    assert_eq!(node.decide(0), Voice::Votes);
    assert_eq!(node.past(), Some(Past::Voted));
    // A crash before the engine wrote anything.
    assert_eq!(node.decide(0), Voice::Votes);
}

#[test]
fn a_validator_whose_data_are_gone_waits_at_every_height_and_over_every_restart() {
    for tip in [0, 7] {
        let node = node();
        node.set_past(Past::Voted);
        assert_eq!(node.decide(tip), Voice::Waits, "at {tip}");
        assert_eq!(node.past(), Some(Past::Forgotten));
        for _ in 0..3 {
            node.set_journal(tip + 1);
            assert_eq!(node.decide(tip + 5), Voice::Waits, "a restart makes it no bolder");
        }
        fs::remove_dir_all(node.config.wal_dir()).unwrap();
        fs::create_dir_all(node.config.wal_dir()).unwrap();
        assert_eq!(node.decide(0), Voice::Waits, "nor does a second wipe");
        may_vote_again(&node.config, &node.keys).unwrap();
        assert_eq!(node.decide(tip + 9), Voice::Votes);
    }
}

#[test]
fn an_unknown_past_is_taken_for_a_forgotten_one() {
    let node = node();
    assert_eq!(node.decide(0), Voice::Waits);
    let other = self::node();
    other.set_past(Past::NeverVoted);
    let record = fs::read(other.config.home().voting()).unwrap();
    fs::write(node.config.home().voting(), record).unwrap();
    assert_eq!(node.decide(0), Voice::Waits, "the record is of another key");
}

#[test]
fn a_journal_is_believed_at_the_stores_height_and_the_next_only() {
    for (journal, tip, voice) in [
        (4, 3, Voice::Votes),
        (3, 3, Voice::Votes),
        (5, 3, Voice::Waits),
        (2, 3, Voice::Waits),
        (900, 3, Voice::Waits),
    ] {
        let node = node();
        node.set_past(Past::Voted);
        node.set_journal(journal);
        assert_eq!(node.decide(tip), voice, "journal {journal}, store {tip}");
        let kept = node.config.wal_dir().join("consensus.wal.old-1").exists();
        assert_eq!(kept, voice == Voice::Waits, "a journal that is not believed is kept aside");
    }
}

#[test]
fn a_damaged_journal_makes_a_validator_wait() {
    let node = node();
    node.set_past(Past::Voted);
    fs::write(node.config.wal_dir().join("consensus.wal"), b"no journal at all").unwrap();
    assert_eq!(node.decide(3), Voice::Waits);
    assert_eq!(node.past(), Some(Past::Forgotten));
}

#[test]
fn an_observer_has_no_voice_and_no_past() {
    let mut node = node();
    node.config.consensus.mode = Mode::Observer;
    assert_eq!(node.decide(0), Voice::None);
    assert_eq!(node.past(), None);
}
