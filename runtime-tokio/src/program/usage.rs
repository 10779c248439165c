//! What this process has used of the machine, as Linux tells it.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time on processors, over all threads, which tells more than a clock where others work too.
pub(crate) fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// Bytes of memory that are in use and not swapped out. `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmRSS:     1234 kB` of a process's status.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_process_is_read() {
        for (status, expected) in [
            ("Name:\tntf\nVmRSS:\t   12044 kB\nThreads:\t2\n", Some(12044 * 1024)),
            ("VmRSS: many kB", None),
            ("VmRSS:\t12 MB", None),
            ("", None),
        ] {
            assert_eq!(resident(status), expected, "{status}");
        }
    }

    #[test]
    fn this_process_uses_something() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 0));
        assert!(cpu_time() > Duration::ZERO);
    }
}
