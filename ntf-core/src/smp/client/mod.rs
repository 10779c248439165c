//! The client of one SMP server, for whoever watches or uses queues.
//!
//! It is the [`Engine`] of links in the dialect of SMP, and what answers to NSUB and NSUBS
//! mean ([`subscribed`], [`resumed`]). Both the subscriber (NSUB) and the client (NEW, GET, SEND and the rest) use it.

mod nsub;

pub use nsub::{Resumed, Subscribed, resumed, subscribed};

use crate::link::dialect::Smp;
use crate::link::engine::{ClientEvent, Engine, EnginePlan};

/// A client of one SMP server; `T` is the tag of whoever asks.
pub type SmpClient<T> = Engine<Smp, T>;

/// What happened at one SMP server.
pub type SmpEvent<'b, T> = ClientEvent<'b, Smp, T>;

/// How a client of an SMP server behaves.
pub type SmpPlan = EnginePlan<Smp>;
