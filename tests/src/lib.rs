//! Helpers shared by the test suites in `tests/`.

pub mod by_hand;
pub mod leaks;
pub mod raw;
pub mod sockets;
