//! Two sessions back to back, in memory.
