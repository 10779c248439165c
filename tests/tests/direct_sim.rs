//! Days of a device with direct connections, in simulated time: nothing is lost, nothing is later than the
//! client says it may be, and an hour without messages costs a fraction of what fixed pings do.

use std::time::Duration;

use ntf_core::client::Pace;
use ntf_core::sim::{Day, DayReport, Ground};

const NTFY: Pace = Pace::Fixed(Duration::from_secs(45));

fn live(seed: u64, ground: Ground, pace: Pace) -> DayReport {
    let report = Day { seed, ground, pace, servers: 3 }.live();
    assert!(report.sent > 40, "{ground}, {pace:?}: {report:?}");
    assert_eq!(report.lost, 0, "{ground}, {pace:?}: {report:?}");
    assert_eq!(report.violations, [""; 0], "{ground}, {pace:?}");
    report
}

fn idle_bytes(report: &DayReport) -> u64 {
    report.idle_hour.bytes_in + report.idle_hour.bytes_out
}

#[test]
fn no_message_is_lost_or_later_than_the_client_says() {
    for ground in Ground::ALL {
        for seed in 0..2 {
            let report = live(seed, ground, Pace::Learned);
            assert!(report.margin.is_some(), "{ground} {seed}: {report:?}");
        }
    }
}

#[test]
fn at_home_messages_are_never_late_and_an_hour_costs_a_fifth_of_fixed_pings() {
    let learned = live(1, Ground::Wifi, Pace::Learned);
    let fixed = live(1, Ground::Wifi, NTFY);
    assert!(learned.late_max < Duration::from_secs(2), "{learned:?}");
    assert!(idle_bytes(&learned) * 5 < idle_bytes(&fixed), "{learned:?} beside {fixed:?}");
    assert!(learned.idle_hour.wake_ups * 4 < fixed.idle_hour.wake_ups, "{learned:?} beside {fixed:?}");
}

#[test]
fn pings_that_are_seldom_cost_little_and_come_late() {
    let seldom = live(1, Ground::Wifi, Pace::Fixed(Duration::from_secs(1200)));
    let learned = live(1, Ground::Wifi, Pace::Learned);
    assert!(seldom.late_max > Duration::from_secs(60), "{seldom:?}");
    assert!(learned.late_max < seldom.late_max / 10, "{learned:?} beside {seldom:?}");
}

#[test]
fn at_a_carrier_tcp_asks_before_it_forgets_and_an_hour_costs_a_tenth_of_fixed_pings() {
    let learned = live(1, Ground::Carrier, Pace::Learned);
    let fixed = live(1, Ground::Carrier, Pace::Fixed(Duration::from_secs(60)));
    let probes = learned.probes.expect("silent connections are dropped");
    assert!(probes < Duration::from_secs(50), "{learned:?}");
    assert!(learned.late_max < fixed.late_max, "{learned:?} beside {fixed:?}");
    assert!(idle_bytes(&learned) * 10 < idle_bytes(&fixed), "{learned:?} beside {fixed:?}");
    assert!(learned.idle_hour.wake_ups * 5 < fixed.idle_hour.wake_ups, "{learned:?} beside {fixed:?}");
}

#[test]
fn the_same_seed_gives_the_same_day() {
    let first = live(3, Ground::Train, Pace::Learned);
    let second = live(3, Ground::Train, Pace::Learned);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
}
