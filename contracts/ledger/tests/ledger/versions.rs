//! Scheduled protocol versions: in force from their height on, and not a height earlier; a program
//! that does not know one stops before it judges a block.

use crate::cases::propose;
use crate::town::{DELAY_MS, Town};
use heatmark_ledger::block::{self, BlockError};
use heatmark_ledger::execute::{
    Environment, ExecutionError, Executor, NEWEST_VERSION, check_version,
};
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use pb::propose::Action;

const NEXT: u32 = NEWEST_VERSION + 1;

/// A town in which the next version begins at height 5.
fn scheduled() -> Town {
    let mut town = Town::new();
    let schedule = pb::ScheduleVersion { version: NEXT, height: 5 };
    town.decide(propose(Action::ScheduleVersion(schedule)), &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    assert_eq!(state::versions(&town.ledger).unwrap().scheduled, [schedule]);
    town
}

fn executed(town: &Town, newest: u32) -> Result<u32, ExecutionError> {
    let height = town.tip.height.next();
    let time = UnixMillis(town.tip.time.0 + 1_000);
    let env = Environment { network: town.tip.network, height, time, parent_time: town.tip.time };
    let executor = Executor::begin_knowing(newest, &town.ledger, env, 0)?;
    Ok(executor.finish()?.version)
}

#[test]
fn a_program_that_knows_the_version_switches_at_its_height() {
    let mut town = scheduled();
    while town.tip.height < Height(4) {
        assert_eq!(executed(&town, NEXT).unwrap(), NEWEST_VERSION);
        town.commit(&[]);
    }
    let height = town.tip.height.next();
    let env = Environment {
        network: town.tip.network,
        height,
        time: UnixMillis(town.tip.time.0 + 1_000),
        parent_time: town.tip.time,
    };
    let outcome = Executor::begin_knowing(NEXT, &town.ledger, env, 0).unwrap().finish().unwrap();
    assert_eq!(outcome.version, NEXT);
    let noted = outcome.changes.get(&state::versions_key()).unwrap().clone().unwrap();
    let noted = <pb::VersionsState as prost::Message>::decode(noted.as_slice()).unwrap();
    assert_eq!((noted.current, noted.scheduled.len()), (NEXT, 0));
}

#[test]
fn a_program_too_old_stops_before_it_builds_or_judges_a_block() {
    let mut town = scheduled();
    while town.tip.height < Height(4) {
        check_version(&town.ledger, town.tip.height.next()).unwrap();
        town.commit(&[]);
    }
    let found = check_version(&town.ledger, Height(5)).unwrap_err();
    let message = found.to_string();
    assert!(matches!(found, ExecutionError::VersionTooNew { version: NEXT, height: Height(5) }));
    assert!(message.contains("version 2") && message.contains("height 5"), "{message}");
    assert!(message.contains("install"), "it says what to do: {message}");
    let now = UnixMillis(town.tip.time.0 + 1_000);
    let built = block::propose(&town.ledger, &town.tip, now, []);
    let Err(error @ BlockError::Execution(ExecutionError::VersionTooNew { .. })) = built else {
        panic!("built a block of an unknown version")
    };
    assert!(!error.is_proposers_fault());
    // Heights above tell where it began.
    let later = check_version(&town.ledger, Height(9)).unwrap_err();
    assert!(matches!(later, ExecutionError::VersionTooNew { height: Height(5), .. }));
}

#[test]
fn versions_are_scheduled_upwards_only() {
    let mut town = scheduled();
    let now = town.tip.time.0 + 1;
    for (version, height, expect) in [
        (NEXT, 9, Err("action")),
        (NEXT + 1, 5, Err("action")),
        (NEXT + 1, 4, Err("action")),
        (NEXT + 1, 6, Ok(())),
    ] {
        let action = Action::ScheduleVersion(pb::ScheduleVersion { version, height });
        let transaction = town.tx(0, propose(action));
        let found = town.refusal(transaction.bytes(), now);
        assert_eq!(found.map_err(|refusal| refusal.code()), expect, "{version} at {height}");
    }
}
