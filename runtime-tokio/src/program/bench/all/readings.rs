//! What is read out of the objects that benches print, and against which size.

use serde_json::Value;

use super::fit::Point;

/// A bench that has a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Core,
    Memory,
    Resubscribe,
    Idle,
    Registration,
    Sockets,
}

impl Kind {
    /// The name of its command.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Memory => "memory",
            Self::Resubscribe => "resubscribe",
            Self::Idle => "idle",
            Self::Registration => "registration",
            Self::Sockets => "sockets",
        }
    }
}

/// One thing that a bench measures.
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// Name of the file of its chart.
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    /// What the size counts.
    pub(super) size: &'static str,
    /// What the value is in.
    pub(super) unit: &'static str,
    /// The points that an object has; `None` where it lacks one.
    pub(super) read: fn(&Value) -> Option<Vec<Point>>,
}

/// All of them, in the order of the table.
pub(super) const READINGS: &[Reading] = &[
    Reading {
        kind: Kind::Core,
        file: "block",
        title: "From a block to payloads, processor time for the block",
        size: "NMSG in the block",
        unit: "µs",
        read: |object| {
            let blocks = object.get("blocks")?.as_array()?.iter();
            let plain = blocks.filter(|block| block.get("block_encryption") == Some(&Value::Bool(false)));
            plain.map(|block| product(block, "nmsgs", &["ns_per_notification", "nmsgs"], 1e-3)).collect()
        },
    },
    Reading {
        kind: Kind::Memory,
        file: "memory-subscriptions",
        title: "Memory of all subscriptions",
        size: "subscriptions",
        unit: "MB",
        read: |object| one(object, "subscriptions", &["bytes_per_subscription", "subscriptions"], 1e-6),
    },
    Reading {
        kind: Kind::Memory,
        file: "subscribe",
        title: "Subscribing all queues, processor time of the subscriber",
        size: "subscriptions",
        unit: "s",
        read: |object| one(object, "subscriptions", &["c_per_subscription", "c_us", "subscriptions"], 1e-6),
    },
    Reading {
        kind: Kind::Resubscribe,
        file: "resubscribe",
        title: "Asking for all queues again, processor time of the subscriber",
        size: "queues",
        unit: "s",
        read: |object| one(object, "queues", &["c_per_queue", "c_us", "queues"], 1e-6),
    },
    Reading {
        kind: Kind::Resubscribe,
        file: "resubscribe-others",
        title: "Pushes of others meanwhile, 99th percentile",
        size: "queues",
        unit: "ms",
        read: |object| one(object, "queues", &["push_p99_ms"], 1.0),
    },
    Reading {
        kind: Kind::Idle,
        file: "idle",
        title: "Asking an idle subscriber whether there is anything to do",
        size: "subscriptions",
        unit: "ns",
        read: |object| {
            let polls = object.get("polls")?.as_array()?.iter();
            polls.map(|poll| product(poll, "subscriptions", &["poll_ns"], 1.0)).collect()
        },
    },
    Reading {
        kind: Kind::Registration,
        file: "links",
        title: "Opening all links, processor time of the server",
        size: "links",
        unit: "s",
        read: |object| one(object, "links", &["cpu_us_per_handshake", "links"], 1e-6),
    },
    Reading {
        kind: Kind::Registration,
        file: "memory-links",
        title: "Memory of all open links",
        size: "links",
        unit: "MB",
        read: |object| one(object, "links", &["bytes_per_link", "links"], 1e-6),
    },
    Reading {
        kind: Kind::Registration,
        file: "registration",
        title: "Registering all devices, processor time of the server",
        size: "devices",
        unit: "s",
        read: |object| one(object, "registrations", &["cpu_us_per_registration", "registrations"], 1e-6),
    },
    Reading {
        kind: Kind::Sockets,
        file: "sockets",
        title: "A notification from socket to socket, processor time of the server",
        size: "devices",
        unit: "µs",
        read: |object| one(object, "devices", &["cpu_us_per_notification"], 1.0),
    },
];

fn one(object: &Value, size: &str, factors: &[&str], scale: f64) -> Option<Vec<Point>> {
    Some(vec![product(object, size, factors, scale)?])
}

/// The product of these fields, at the size that another one tells.
fn product(object: &Value, size: &str, factors: &[&str], scale: f64) -> Option<Point> {
    let size = object.get(size)?.as_f64()?;
    let factors = factors.iter().map(|name| object.get(*name)?.as_f64());
    Some(Point { size, value: factors.product::<Option<f64>>()? * scale })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn points_are_read() {
        let reading = |file: &str| READINGS.iter().find(|reading| reading.file == file).unwrap();
        let memory = json!({ "subscriptions": 2000, "bytes_per_subscription": 150.0 });
        assert_eq!(
            (reading("memory-subscriptions").read)(&memory),
            Some(vec![Point { size: 2000.0, value: 0.3 }])
        );
        let idle = json!({ "polls": [{ "subscriptions": 10, "poll_ns": 20 }, { "subscriptions": 100, "poll_ns": 30 }] });
        let expected = [(10.0, 20.0), (100.0, 30.0)].map(|(size, value)| Point { size, value });
        assert_eq!((reading("idle").read)(&idle), Some(expected.to_vec()));
        let core = json!({ "blocks": [
            { "nmsgs": 10, "block_encryption": false, "ns_per_notification": 500 },
            { "nmsgs": 10, "block_encryption": true, "ns_per_notification": 900 },
        ] });
        assert_eq!((reading("block").read)(&core), Some(vec![Point { size: 10.0, value: 5.0 }]));
        for reading in READINGS {
            assert_eq!((reading.read)(&json!({})), None, "{}", reading.file);
        }
    }

    #[test]
    fn each_has_a_file_of_its_own() {
        let files: BTreeSet<_> = READINGS.iter().map(|reading| reading.file).collect();
        assert_eq!(files.len(), READINGS.len());
    }
}
