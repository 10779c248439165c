//! The one codec: every byte of SMP and NTF, both directions, every version.
