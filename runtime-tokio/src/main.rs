//! The program `ntf`.

fn main() {}
