//! Tokens of a subscriber: their states, their table. Knows no bytes and no links.
