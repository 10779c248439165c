//! One bench as a process of its own.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;

use ntf_core::host::oneshot;
use serde_json::Value;

use crate::program::failure::Failure;

/// A bench that runs. Ends when this is dropped.
pub(super) struct Child {
    name: &'static str,
    process: std::process::Child,
}

impl Child {
    /// Starts the bench of this name. What it says to people is said as it comes.
    pub(super) fn start(name: &'static str, arguments: &[String]) -> Result<Self, Failure> {
        let process = std::env::current_exe().and_then(|program| {
            Command::new(program)
                .args(["bench", name, "--json"])
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
        });
        let process =
            process.map_err(|error| Failure::failed(format!("Cannot start ntf bench {name}: {error}.")))?;
        Ok(Self { name, process })
    }

    /// Waits for its end; gives the object on the last line of its output.
    pub(super) async fn object(mut self) -> Result<Value, Failure> {
        let output = self.process.stdout.take();
        let (tell, told) = oneshot::channel();
        // Reading waits, which no task may. The thread ends with the output.
        thread::spawn(move || {
            let mut text = String::new();
            let read = output.map(|mut output| output.read_to_string(&mut text));
            let _ = tell.send(matches!(read, Some(Ok(_))).then_some(text));
        });
        let text = told.await.ok().flatten();
        // It has closed its output, which is the last that it does.
        let is_well = self.process.wait().is_ok_and(|status| status.success());
        let object = text.filter(|_| is_well).and_then(|text| last_object(&text));
        object.ok_or_else(|| {
            Failure::failed(format!("ntf bench {} gave no figures; what it said stands above.", self.name))
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails when it has ended, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn last_object(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().last()?).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_that_of_the_last_line() {
        for (text, expected) in [
            ("words\n{\"a\":1}\n{\"a\":2}\n", Some(2)),
            ("{\"a\":2}", Some(2)),
            ("{\"a\":1}\nwords\n", None),
            ("[1]\n", None),
            ("", None),
        ] {
            let found = last_object(text).and_then(|object| object.get("a")?.as_u64());
            assert_eq!(found, expected, "{text}");
        }
    }
}
