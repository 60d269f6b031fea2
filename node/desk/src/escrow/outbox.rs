//! The outbox: a directory of files, each telling the arbiter's own systems one thing to do with money. Only this node's user reads
//! it, since a file says who buys from whom and for how much. A file has its name once it is whole on disk.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// Puts a file into the outbox, in the place of an earlier one of its name; durable when this returns.
pub(super) fn put(outbox: &Path, name: &str, content: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(outbox)?;
    // One that was there before may be open to others.
    fs::set_permissions(outbox, Permissions::from_mode(PRIVATE_DIRECTORY))?;
    let waiting = outbox.join(format!(".{name}"));
    let mut options = OpenOptions::new();
    let mut file: File =
        options.write(true).create(true).truncate(true).mode(PRIVATE_FILE).open(&waiting)?;
    file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&waiting, outbox.join(name))?;
    File::open(outbox)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_reads_the_outbox() {
        let place = tempfile::tempdir().unwrap();
        let outbox = place.path().join("vault/outbox");
        put(&outbox, "a-collect.json", "{}\n").unwrap();
        assert_eq!(mode(&outbox), 0o700);
        assert_eq!(mode(&outbox.join("a-collect.json")), 0o600);
    }

    #[test]
    fn an_outbox_open_to_others_is_closed_and_what_a_crash_left_is_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let outbox = place.path().join("outbox");
        fs::create_dir(&outbox).unwrap();
        fs::set_permissions(&outbox, Permissions::from_mode(0o755)).unwrap();
        let left = outbox.join(".a-collect.json");
        fs::write(&left, "half of something longer").unwrap();
        fs::set_permissions(&left, Permissions::from_mode(0o644)).unwrap();
        put(&outbox, "a-collect.json", "{}\n").unwrap();
        assert_eq!(mode(&outbox), 0o700);
        let file = outbox.join("a-collect.json");
        assert_eq!((mode(&file), fs::read_to_string(&file).unwrap().as_str()), (0o600, "{}\n"));
        assert_eq!(fs::read_dir(&outbox).unwrap().count(), 1);
    }
}
