//! What the process asks of the system so that its memory stays in memory: no core dumps, no swap.
//!
//! Device tokens and queue credentials are held in memory only, and that promise is the program's to
//! make. A crash must not write them to a core file, another process of the same user must not read them
//! through `ptrace`, and the system must not page them out to a disk.

use std::fmt;
use std::io;

use clap::ValueEnum;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::program::failure::Failure;

/// What to do about memory that could reach a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MemoryLock {
    /// Lock memory if the system lets us, and say so if not.
    #[default]
    Try,
    /// Refuse to start if memory cannot be locked.
    Require,
    /// Leave memory as it is. Core dumps stay off.
    Off,
}

/// Why memory is not locked. Prints what to do about it.
#[derive(Debug)]
pub enum NotLocked {
    /// The process may lock so many bytes only. Locking would then end it at the first page beyond.
    Limited {
        /// `RLIMIT_MEMLOCK` in bytes.
        limit: u64,
    },
    /// The system refused.
    Refused(io::Error),
}

impl fmt::Display for NotLocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limited { limit } => write!(
                f,
                "Memory is not locked, so the system may write device tokens to its swap space: this process may lock {} KiB only. Raise the limit (systemd: LimitMEMLOCK=infinity; shell: ulimit -l unlimited), switch swap off, or say --lock-memory off.",
                limit / 1024
            ),
            Self::Refused(error) => write!(
                f,
                "Memory is not locked, so the system may write device tokens to its swap space: {error}. Switch swap off, or say --lock-memory off."
            ),
        }
    }
}

/// Applies `lock` and switches core dumps off. Called before there is anything to keep secret.
///
/// # Errors
///
/// When memory must be locked and cannot be, or when the system keeps core dumps on.
pub fn keep_memory_private(lock: MemoryLock) -> Result<(), Failure> {
    no_core_dumps().map_err(|error| Failure::failed(format!("Cannot switch core dumps off: {error}.")))?;
    let locked = match lock {
        MemoryLock::Off => return Ok(()),
        MemoryLock::Try | MemoryLock::Require => lock_memory(),
    };
    match (locked, lock) {
        (Err(fault), MemoryLock::Require) => Err(Failure::failed(fault.to_string())),
        (Err(fault), MemoryLock::Try | MemoryLock::Off) => {
            tracing::warn!("{fault}");
            Ok(())
        }
        (Ok(()), MemoryLock::Try | MemoryLock::Require | MemoryLock::Off) => Ok(()),
    }
}

/// Neither a core file nor a pipe to a crash collector: the size limit stops the one, the dumpable flag both.
fn no_core_dumps() -> io::Result<()> {
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Pages are locked as they come into use, so that untouched stacks and arenas cost nothing.
///
/// Under a finite limit an allocation beyond it would fail and end the process, so there is no half measure.
fn lock_memory() -> Result<(), NotLocked> {
    if let Some(limit) = getrlimit(Resource::Memlock).current {
        return Err(NotLocked::Limited { limit });
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
        .map_err(|error| NotLocked::Refused(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_are_off() {
        keep_memory_private(MemoryLock::Off).unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn what_is_not_locked_says_what_to_do() {
        let text = NotLocked::Limited { limit: 8 << 20 }.to_string();
        assert!(text.contains("8192 KiB") && text.contains("LimitMEMLOCK=infinity"), "{text}");
    }
}
