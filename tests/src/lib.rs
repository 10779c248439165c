//! Helpers shared by the test suites in `tests/`.

pub mod raw;
pub mod sockets;
