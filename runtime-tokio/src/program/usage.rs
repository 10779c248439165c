//! What this process, or another, has used of the machine, as Linux tells it.

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

/// Likewise, of another process.
pub(crate) fn resident_bytes_of(process: u32) -> Option<u64> {
    resident(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Of these, the bytes that are this process's own: not the pages of the program, which is a file, and of which more
/// are read the first time that something is done.
pub(crate) fn own_bytes() -> Option<u64> {
    own(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Likewise, of another process.
pub(crate) fn own_bytes_of(process: u32) -> Option<u64> {
    own(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Files, sockets and whatever else another process has a descriptor of. `None` where the system does not tell.
pub(crate) fn files_of(process: u32) -> Option<u64> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    u64::try_from(descriptors.flatten().count()).ok()
}

/// Processor time of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadTime {
    number: u32,
    pub(crate) name: String,
    pub(crate) time: Duration,
}

impl ThreadTime {
    /// What each has used since; all of it, of those that were not there.
    pub(crate) fn since(mut now: Vec<Self>, before: &[Self]) -> Vec<Self> {
        for thread in &mut now {
            if let Some(before) = before.iter().find(|before| before.number == thread.number) {
                thread.time = thread.time.saturating_sub(before.time);
            }
        }
        now
    }
}

/// What Linux counts processor time in, `USER_HZ`: the same on every machine that this is run on.
const TICK_MILLIS: u64 = 10;

/// The threads of a process, and their time on processors, to a hundredth of a second. None where the
/// system does not tell. A thread that has ended is not told of.
pub(crate) fn threads_of(process: u32) -> Vec<ThreadTime> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| {
            let number = thread.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
            let (name, ticks) = name_and_ticks(&stat)?;
            let time = Duration::from_millis(ticks.saturating_mul(TICK_MILLIS));
            Some(ThreadTime { number, name: name.to_owned(), time })
        })
        .collect()
}

/// The line `1234 (a name) S …`, whose 14th and 15th fields are the time in user and in kernel mode.
fn name_and_ticks(stat: &str) -> Option<(&str, u64)> {
    // A name may hold anything, brackets too.
    let (begin, fields) = stat.rsplit_once(')')?;
    let (_, name) = begin.split_once('(')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((name, user.saturating_add(system)))
}

fn resident(status: &str) -> Option<u64> {
    kibibytes(status, "VmRSS:")
}

fn own(status: &str) -> Option<u64> {
    kibibytes(status, "RssAnon:")
}

/// The bytes of a line such as `VmRSS:     1234 kB` of a process's status.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
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
            assert_eq!(own(&status.replace("VmRSS", "RssAnon")), expected, "{status}");
        }
    }

    #[test]
    fn the_times_of_a_thread_are_read() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 250 13 14 15 20 0";
        for (stat, expected) in [
            (format!("77 (ntf-shard-0) {fields}"), Some(("ntf-shard-0", 263))),
            (format!("77 (a (b) c) {fields}"), Some(("a (b) c", 263))),
            ("77 (ntf) S 1 2".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(name_and_ticks(&stat), expected, "{stat}");
        }
    }

    #[test]
    fn times_are_told_since_a_moment() {
        let thread =
            |number, millis| ThreadTime { number, name: String::new(), time: Duration::from_millis(millis) };
        let passed = ThreadTime::since(vec![thread(1, 50), thread(2, 7)], &[thread(1, 20), thread(3, 9)]);
        assert_eq!(passed, [thread(1, 30), thread(2, 7)]);
    }

    #[test]
    fn this_process_uses_something() {
        let this_thread = fs::read_to_string("/proc/thread-self/comm").unwrap();
        assert!(threads_of(std::process::id()).iter().any(|thread| thread.name == this_thread.trim_end()));
        assert!(own_bytes().is_some_and(|own| own > 0 && resident_bytes().is_some_and(|all| all > own)));
        assert!(files_of(std::process::id()).is_some_and(|files| files > 0));
        assert!(cpu_time() > Duration::ZERO);
    }
}
