//! Processes on the tokio adapter.

use ntf_runtime_tokio as adapter;

#[path = "process.rs"]
mod process;

pub(crate) use process::{run_push, run_subscriber};
