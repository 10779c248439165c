//! Helpers shared by the test suites in `tests/`.
