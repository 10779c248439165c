//! Processes on the smol adapter.

use ntf_runtime_smol as adapter;

#[path = "process.rs"]
mod process;

pub(crate) use process::{run_push, run_subscriber};
