//! A small SMP queue server: in memory, bounded, compatible with stock clients.
