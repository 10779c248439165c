//! What is to be pushed to whom, and when: the notices of each token, the verification pushes and the
//! periodic ones.
//!
//! Notices that come faster than pushes go out merge here, one per queue, so that a slow push server
//! never slows down whoever reads notices. Knows neither bytes, nor links, nor what a token or a
//! subscription is beyond its index. Read [`notices`] first; [`orders`] keeps the books, and `pacing` says
//! which kind of push a token's notices get under its [`policy`].

pub mod limits;
pub mod meters;
pub mod notices;
pub mod orders;
mod pacing;
mod periodic;
pub mod policy;
pub mod verification;
