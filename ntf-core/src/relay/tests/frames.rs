//! The codec: what is written is read, and nothing that is read does harm.

use crate::base::fault::PeerFault;
use crate::base::limits::RELAY_BLOCK_LEN;
use crate::relay::frame::{
    Answer, BlockWriter, CIPHERTEXT_LEN_MAX, Device, Farewell, Frame, Frames, Hello, InvalidReason, Order,
    Outcome, Payload, Provider, Refusal, Room, Welcome, block_of,
};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

/// A frame without what it borrows.
#[derive(Clone, Debug)]
struct Plan {
    choice: u8,
    number: u64,
    small: u16,
    bytes: Vec<u8>,
    token: Vec<u8>,
}

impl Plan {
    fn frame(&self) -> Frame<'_> {
        let (nonce, ciphertext) = ([self.choice; 24], self.bytes.as_slice());
        let provider = [Provider::ApnsDev, Provider::ApnsProd, Provider::ApnsTest, Provider::ApnsNull]
            [usize::from(self.small % 4)];
        let plain = Device::Plain { provider, token: &self.token };
        let order = |device, payload| Frame::Order(Order { request: self.number, device, payload });
        let outcome = |result| Frame::Outcome(Outcome { request: self.number, result });
        match self.choice % 18 {
            0 => {
                let instance = [self.choice; 16];
                Frame::Hello(Hello { version_min: self.small, version_max: self.small / 2, instance })
            }
            1 => Frame::Welcome(Welcome { version: self.small, credits: u32::from(self.small) << 16 }),
            2 => Frame::Credits(u32::from(self.small)),
            3 => order(plain, Payload::Message { nonce, ciphertext }),
            4 => order(Device::Sealed(&self.token), Payload::Verification { nonce, ciphertext }),
            5 => order(plain, Payload::CheckMessages),
            6 => outcome(Answer::Accepted { device: self.small.is_multiple_of(2).then_some([7; 16]) }),
            7 => outcome(Answer::TokenInvalid {
                reason: InvalidReason::Topic,
                since_millis: self.small.is_multiple_of(2).then_some(self.number),
            }),
            8 => outcome(Answer::TryLater { after_millis: self.number }),
            9 => outcome(Answer::Throttled { after_millis: self.number }),
            10 => outcome(Answer::Refused(Refusal::PlainToken)),
            11 => Frame::Ping,
            12 => Frame::Drain,
            13 => order(plain, Payload::Hidden { nonce, ciphertext }),
            14 => order(plain, Payload::Alert { collapse: self.number }),
            15 => outcome(Answer::DeviceThrottled { after_millis: self.number }),
            16 => outcome(Answer::TooLarge),
            _ => Frame::Goodbye(Farewell::Replaced),
        }
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let bytes = prop::collection::vec(any::<u8>(), 0..=CIPHERTEXT_LEN_MAX);
    let token = prop::collection::vec(any::<u8>(), 0..=255);
    (any::<u8>(), any::<u64>(), any::<u16>(), bytes, token)
        .prop_map(|(choice, number, small, bytes, token)| Plan { choice, number, small, bytes, token })
}

proptest! {
    #[test]
    fn frames_are_read_as_they_were_written(plans in prop::collection::vec(plan(), 1..12)) {
        let mut blocks = Vec::new();
        let mut writer = BlockWriter::new();
        for plan in &plans {
            if writer.push(&plan.frame()).unwrap() == Room::No {
                blocks.push(core::mem::take(&mut writer).finish().unwrap());
                prop_assert_eq!(writer.push(&plan.frame()), Ok(Room::Yes), "an empty block has room");
            }
        }
        blocks.extend(writer.finish());
        prop_assert!(blocks.iter().all(|block| block.len() == RELAY_BLOCK_LEN));
        let read: Vec<_> = blocks.iter().flat_map(|block| Frames::of(block)).collect();
        prop_assert_eq!(read.len(), plans.len());
        for (read, plan) in read.iter().zip(&plans) {
            prop_assert!(*read == Ok(plan.frame()), "{:?}", plan);
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        let frames: Vec<_> = Frames::of(&bytes).collect();
        prop_assert!(frames.len() <= bytes.len() / 3 + 1);
        prop_assert!(frames.iter().rev().skip(1).all(Result::is_ok), "a fault is the last");
    }

    #[test]
    fn a_changed_block_is_read_to_an_end(plan in plan(), at in 0..RELAY_BLOCK_LEN, to in any::<u8>()) {
        let mut block = block_of(&plan.frame());
        block[at] = to;
        let frames: Vec<_> = Frames::of(&block).collect();
        prop_assert!(frames.len() <= RELAY_BLOCK_LEN);
    }
}

#[test]
fn the_longest_order_fits_a_block_and_the_next_one_does_not() {
    let order = |ciphertext| {
        let device = Device::Plain { provider: Provider::ApnsNull, token: &[b'a'; 255] };
        let payload = Payload::Message { nonce: [0xff; 24], ciphertext };
        Frame::Order(Order { request: u64::MAX, device, payload })
    };
    let longest = vec![0xff; CIPHERTEXT_LEN_MAX];
    assert_eq!(BlockWriter::new().push(&order(&longest)), Ok(Room::Yes));
    assert!(BlockWriter::new().push(&order(&vec![0; RELAY_BLOCK_LEN])).is_err());
}

#[test]
fn what_is_wrong_in_a_block_is_named() {
    for (bytes, expected) in [
        (&[0, 9, 6][..], PeerFault::Truncated { field: "relay frame" }),
        (&[0, 1, 200], PeerFault::Malformed { field: "relay frame" }),
        (&[0, 2, 5, 0], PeerFault::TrailingBytes { field: "relay frame" }),
        (&[0, 3, 3, 1, 0], PeerFault::Malformed { field: "relay frame" }),
    ] {
        let frames: Vec<_> = Frames::of(bytes).collect();
        assert!(frames == [Err(expected)], "{bytes:?}: {frames:?}");
    }
    assert_eq!(Frames::of(&[0, 1, 5, 0, 0, 1, 2]).count(), 1, "what follows the end is not looked at");
    assert_eq!(Frames::of(&[0, 1, 5, 0]).count(), 1, "half a length is no length");
}

#[test]
fn a_frame_prints_its_kind_and_nothing_else() {
    let device = Device::Plain { provider: Provider::ApnsProd, token: b"secret" };
    let order = Order { request: 12, device, payload: Payload::CheckMessages };
    assert_eq!(format!("{:?}", Frame::Order(order)), "Frame(order)");
}
