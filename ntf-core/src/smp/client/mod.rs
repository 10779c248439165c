//! The SMP client engine that roles share.
