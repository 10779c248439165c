//! What the ends of a relay link say to each other.

use ntf_core::relay::frame::{Answer, BlockWriter, Frame, Frames, Hello, Outcome, Room, Welcome, block_of};

/// Input: a block of frames. What is read is written and read again as the same; after a fault nothing follows.
pub fn relay_frame(data: &[u8]) {
    let mut frames = Frames::of(data);
    let mut writer = BlockWriter::new();
    let mut written = Vec::new();
    for item in frames.by_ref() {
        let Ok(frame) = item else { break };
        assert!(!frame.kind().is_empty() && format!("{frame:?}").len() < 32, "only the kind is printed");
        // What is longer than a block, or has no room in it any more, nobody writes.
        if writer.push(&frame) == Ok(Room::Yes) {
            written.push(frame);
        }
    }
    assert!(frames.next().is_none(), "nothing follows the end or a fault");
    if let Some(block) = writer.finish() {
        let read: Result<Vec<_>, _> = Frames::of(&block).collect();
        assert!(read.is_ok_and(|read| read == written), "what is written is read as it was");
    }
}

/// A block of each small kind.
pub fn scripts() -> impl Iterator<Item = Vec<u8>> {
    let frames = [
        Frame::Hello(Hello { version_min: 1, version_max: 1, instance: [7; 16] }),
        Frame::Welcome(Welcome { version: 1, credits: 100 }),
        Frame::Credits(7),
        Frame::Outcome(Outcome { request: 9, result: Answer::TooLarge }),
        Frame::Ping,
        Frame::Drain,
    ];
    frames.into_iter().map(|frame| block_of(&frame).into_vec())
}
