//! TLS 1.3 driven by hand: bytes in, bytes out, and the session id that SimpleX binds commands to.
