//! The cryptography of SMP and NTF over RustCrypto and dalek crates.
