//! The yardstick C: what libsodium takes to seal one payload of the reference. Times given in C mean the same on every
//! machine of a kind, whatever it is called and whoever else works on it.
//!
//! libsodium is no part of this program. A few lines of C that look for it are compiled, run and thrown away.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::bench::bare::seal_cost;
use crate::program::bench::scratch::Scratch;

/// The payload that C seals, in bytes: what the reference pads payloads to.
const LEN: usize = 3072;

const PROGRAM: &str = include_str!("yardstick.c");

/// C, and whose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Yardstick {
    c: Duration,
    own: Duration,
    is_libsodium: bool,
}

impl Yardstick {
    /// Measures it now.
    pub(super) fn measure() -> Self {
        let own = seal_cost(LEN);
        match libsodium() {
            Ok(c) => Self { c, own, is_libsodium: true },
            Err(why) => {
                eprintln!("{why} C is our own XSalsa20-Poly1305 in its place.");
                Self { c: own, own, is_libsodium: false }
            }
        }
    }

    /// C in microseconds.
    pub(super) fn micros(&self) -> f64 {
        self.c.as_secs_f64() * 1e6
    }

    /// So many C are this time.
    pub(super) fn times(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.c.as_secs_f64().max(1e-12)
    }

    /// Whose C it is, for programs.
    pub(super) const fn source(&self) -> &'static str {
        if self.is_libsodium { "libsodium" } else { "own" }
    }
}

impl fmt::Display for Yardstick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.is_libsodium { "libsodium's crypto_box_easy_afternm" } else { "our own box" };
        write!(f, "C = {:.2} µs: {name} over {LEN} bytes in this run", self.micros())?;
        if self.is_libsodium {
            write!(f, "; our own takes {:.2} µs", self.own.as_secs_f64() * 1e6)?;
        }
        Ok(())
    }
}

/// What libsodium takes for C. The error is a sentence.
fn libsodium() -> Result<Duration, String> {
    let [c] = times_of([])?;
    Ok(c)
}

/// What libsodium takes for an X25519 public key, an X25519 agreement, an Ed25519 signature and its verification. The
/// error is a sentence.
pub(super) fn libsodium_curves() -> Result<[Duration; 4], String> {
    let [_, curves @ ..]: [_; 5] = times_of(["curves"])?;
    Ok(curves)
}

/// What libsodium takes for as many things as are asked for.
fn times_of<const N: usize, const M: usize>(arguments: [&str; M]) -> Result<[Duration; N], String> {
    let scratch = Scratch::new().map_err(|error| format!("No folder for a yardstick: {error}."))?;
    let program = scratch.path().join("yardstick");
    compile(&program)?;
    let output =
        Command::new(&program).args(arguments).output().map_err(|error: io::Error| format!("{error}."))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let times = output.status.success().then(|| read(&text)).flatten();
    times.ok_or_else(|| "libsodium is not installed (Debian: libsodium23).".to_owned())
}

fn compile(program: &Path) -> Result<(), String> {
    let mut compiler = Command::new("cc")
        .args(["-O2", "-x", "c", "-", "-ldl", "-o"])
        .arg(program)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("There is no C compiler to look for libsodium with: {error}."))?;
    let written = compiler.stdin.take().map_or(Ok(()), |mut input| input.write_all(PROGRAM.as_bytes()));
    let compiled = compiler.wait();
    if written.is_err() || !compiled.is_ok_and(|status| status.success()) {
        return Err("The program that looks for libsodium does not compile.".to_owned());
    }
    Ok(())
}

/// Nanoseconds, one to a line.
fn read<const N: usize>(text: &str) -> Option<[Duration; N]> {
    let times = text.lines().map(|line| {
        let nanos = line.trim().parse::<f64>().ok()?;
        (nanos.is_finite() && nanos > 0.0).then(|| Duration::from_secs_f64(nanos / 1e9))
    });
    times.collect::<Option<Vec<_>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_c() {
        let yardstick =
            Yardstick { c: Duration::from_nanos(2500), own: Duration::from_nanos(7000), is_libsodium: true };
        assert!((yardstick.times(Duration::from_micros(25)) - 10.0).abs() < 1e-9);
        assert_eq!(
            yardstick.to_string(),
            "C = 2.50 µs: libsodium's crypto_box_easy_afternm over 3072 bytes in this run; our own takes 7.00 µs"
        );
        assert_eq!(Yardstick { is_libsodium: false, ..yardstick }.source(), "own");
    }

    #[test]
    fn times_are_read_when_all_are_there() {
        assert_eq!(read("2500.0\n"), Some([Duration::from_nanos(2500)]));
        assert_eq!(read("1.0\n20.0\n"), Some([1, 20].map(Duration::from_nanos)));
        for text in ["", "1.0\n", "1.0\n2.0\n3.0\n", "1.0\nfast\n", "1.0\n-2.0\n", "1.0\nNaN\n"] {
            assert_eq!(read::<2>(text), None, "{text}");
        }
    }
}
