//! What a device's connections cost: wake-ups and bytes, in total and by the hour.

use crate::base::time::Mono;
use core::time::Duration;

/// What connections cost over some time. Bytes are those of TLS records, to which TCP and IP add a thirtieth, and of
/// the packets of [`probes`](Self::probes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Times something happened after two seconds of quiet: what wakes the app, and a radio with it.
    pub wake_ups: u64,
    /// Those of them that a timer of the client's began.
    pub wake_ups_by_timer: u64,
    /// Questions that TCP was told to ask after silence, as far as it did. They wake a radio and not the app,
    /// and are not among the wake-ups.
    pub probes: u64,
    /// Connections that were tried.
    pub connections: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
}

impl Usage {
    fn of_probes(probes: u64) -> Self {
        let bytes = probes.saturating_mul(PROBE_LEN);
        Self { probes, bytes_out: bytes, bytes_in: bytes, ..Self::default() }
    }

    /// Both together.
    const fn and(self, more: Self) -> Self {
        Self {
            wake_ups: self.wake_ups.saturating_add(more.wake_ups),
            wake_ups_by_timer: self.wake_ups_by_timer.saturating_add(more.wake_ups_by_timer),
            probes: self.probes.saturating_add(more.probes),
            connections: self.connections.saturating_add(more.connections),
            bytes_out: self.bytes_out.saturating_add(more.bytes_out),
            bytes_in: self.bytes_in.saturating_add(more.bytes_in),
        }
    }
}

/// A question of TCP, or its answer: headers of IPv6 and TCP with timestamps, and nothing else.
///
/// Source: RFC 8200, 3; RFC 9293, 3.8.4; RFC 7323, 3.
const PROBE_LEN: u64 = 40 + 20 + 12;

/// Quiet that ends a wake-up. Source: ours; a radio stays awake for seconds after each packet.
const QUIET: Duration = Duration::from_secs(2);

/// What a TLS record adds to a block: header, content type and tag. Source: RFC 8446, 5.1 and 5.2.
const RECORD_LEN: u64 = 5 + 1 + 16;

/// What a TLS handshake takes on its way out and in, about.
///
/// Source: ours; client hello and finished, and a server's hello with two certificates of Ed25519.
const HANDSHAKE_LEN: (u64, u64) = (400, 1300);

/// Counts it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::client) struct Counting {
    total: Usage,
    this_hour: Usage,
    last_hour: Usage,
    hour_began: Mono,
    /// When something happened last.
    stirred: Option<Mono>,
}

/// What made a machine stir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum Cause {
    /// A deadline of its own.
    Timer,
    /// Anything else.
    Other,
}

impl Counting {
    pub(in crate::client) fn on_input(&mut self, now: Mono, cause: Cause) {
        self.turn(now);
        if self.stirred.replace(now).is_none_or(|at| now.since(at) >= QUIET) {
            let by_timer = u64::from(cause == Cause::Timer);
            self.add(Usage { wake_ups: 1, wake_ups_by_timer: by_timer, ..Usage::default() });
        }
    }

    pub(in crate::client) fn on_connect(&mut self) {
        let (bytes_out, bytes_in) = HANDSHAKE_LEN;
        self.add(Usage { connections: 1, bytes_out, bytes_in, ..Usage::default() });
    }

    pub(in crate::client) fn on_sent(&mut self, block_len: usize) {
        self.add(Usage { bytes_out: on_wire(block_len), ..Usage::default() });
    }

    pub(in crate::client) fn on_probes(&mut self, probes: u64) {
        self.add(Usage::of_probes(probes));
    }

    pub(in crate::client) fn on_received(&mut self, block_len: usize) {
        self.add(Usage { bytes_in: on_wire(block_len), ..Usage::default() });
    }

    /// Everything since the start, with probes that were not counted yet.
    pub(in crate::client) fn total(&self, probes: u64) -> Usage {
        self.total.and(Usage::of_probes(probes))
    }

    /// The last whole hour; the first one until it is over.
    pub(in crate::client) fn by_the_hour(mut self, now: Mono) -> Usage {
        let is_first = self.hour_began == Mono::ZERO && now.since(Mono::ZERO) < HOUR;
        self.turn(now);
        if is_first { self.this_hour } else { self.last_hour }
    }

    fn add(&mut self, more: Usage) {
        for sum in [&mut self.total, &mut self.this_hour] {
            *sum = sum.and(more);
        }
    }

    /// Begins the hour that this moment belongs to.
    fn turn(&mut self, now: Mono) {
        let hours = now.since(self.hour_began).as_secs() / HOUR.as_secs();
        if hours > 0 {
            let this = core::mem::take(&mut self.this_hour);
            self.last_hour = if hours == 1 { this } else { Usage::default() };
            self.hour_began = self.hour_began + Duration::from_secs(hours * HOUR.as_secs());
        }
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn on_wire(block_len: usize) -> u64 {
    u64::try_from(block_len).unwrap_or(u64::MAX).saturating_add(RECORD_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    #[test]
    fn what_happens_close_together_is_one_wake_up() {
        let mut counting = Counting::default();
        for (secs, cause) in [(10, Cause::Timer), (11, Cause::Other), (13, Cause::Other), (14, Cause::Timer)]
        {
            counting.on_input(at(secs), cause);
        }
        let Usage { wake_ups, wake_ups_by_timer, .. } = counting.total(0);
        assert_eq!((wake_ups, wake_ups_by_timer), (2, 1));
    }

    #[test]
    fn hours_are_those_of_the_clock() {
        let mut counting = Counting::default();
        counting.on_sent(16384);
        assert_eq!(counting.by_the_hour(at(100)).bytes_out, 16406, "the first, so far");
        counting.on_input(at(3700), Cause::Timer);
        counting.on_received(512);
        let hour = counting.by_the_hour(at(3800));
        assert_eq!((hour.bytes_out, hour.bytes_in, hour.wake_ups), (16406, 0, 0));
        let hour = counting.by_the_hour(at(7300));
        assert_eq!((hour.bytes_out, hour.bytes_in, hour.wake_ups), (0, 534, 1));
        assert_eq!(counting.by_the_hour(at(20_000)), Usage::default(), "nothing happened in it");
        assert_eq!(counting.total(0).bytes_out, 16406);
    }

    #[test]
    fn probes_cost_bytes_and_wake_nobody() {
        let mut counting = Counting::default();
        counting.on_probes(3);
        let Usage { probes, bytes_out, bytes_in, wake_ups, .. } = counting.total(2);
        assert_eq!((probes, bytes_out, bytes_in, wake_ups), (5, 360, 360, 0));
    }
}
