//! What things that pass are called: parcels, what is in them, and what their words mean.
//!
//! Needs no key: names lie open once a parcel is out of its TLS. `reading` says what a party can read beyond them.

use crate::model::server::Protocol;
use crate::relay::frame::Frames;
use crate::sim::net::Side;
use crate::sim::passing::Parcel;
use crate::wire::batch::BatchReader;
use crate::wire::block;
use crate::wire::ntf::command::Command as NtfCommand;
use crate::wire::ntf::response::Response;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::transmission::{Format, Transmission};
use crate::wire::version::{NtfVersion, SmpVersion};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a block of a conversation between two parties holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Command(Protocol),
    Answer(Protocol),
}

/// The words of a parcel in the protocol's own language: `SEND`, `NSUB ×2`, `order`.
pub(super) fn name_of(parcel: &Parcel) -> String {
    match parcel {
        Parcel::Block { protocol: Protocol::Relay, block, .. } => {
            let kinds = Frames::of(block).map(|frame| frame.map_or("garbage", |frame| frame.kind()));
            counted(&kinds.collect::<Vec<_>>())
        }
        Parcel::Block { protocol, writer, block, .. } => match transmissions(*protocol, block) {
            Contents::Hello => "hello".into(),
            Contents::Garbage => "garbage".into(),
            Contents::Batch(batch) => {
                let words: Vec<_> = batch
                    .iter()
                    .map(|transmission| word_of(speech(*protocol, *writer), transmission))
                    .collect();
                counted(&words)
            }
        },
        Parcel::Order(_) => "order".into(),
        Parcel::Outcome(_) => "outcome".into(),
        Parcel::Request { .. } | Parcel::Push(_) => "push".into(),
        Parcel::Answer(reply) => reply.status.to_string(),
    }
}

pub(super) fn speech(protocol: Protocol, writer: Side) -> Speech {
    match writer {
        Side::Opener => Speech::Command(protocol),
        Side::Accepter => Speech::Answer(protocol),
    }
}

fn counted(words: &[&str]) -> String {
    let mut text = String::new();
    for (place, word) in words.iter().enumerate() {
        if words.iter().take(place).any(|earlier| earlier == word) {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        let count = words.iter().filter(|other| *other == word).count();
        if count > 1 {
            text.push_str(&format!(" ×{count}"));
        }
    }
    text
}

/// What a block of SMP or NTF holds.
pub(super) enum Contents<'a> {
    /// What both sides say first.
    Hello,
    /// Commands, answers or events.
    Batch(Vec<Transmission<'a>>),
    /// None of these.
    Garbage,
}

pub(super) fn transmissions(protocol: Protocol, block: &[u8]) -> Contents<'_> {
    let format = match protocol {
        Protocol::Smp => Format::smp(SmpVersion::MAX),
        Protocol::Ntf | Protocol::Relay => Format::ntf(NtfVersion::MAX),
    };
    let Ok(content) = block::content(block) else { return Contents::Garbage };
    // Hellos begin with a version, and no batch is empty.
    if content.first() == Some(&0) {
        return Contents::Hello;
    }
    match BatchReader::new(content, format).map(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(Ok(batch)) => Contents::Batch(batch),
        Ok(Err(_)) | Err(_) => Contents::Garbage,
    }
}

pub(super) fn word_of(speech: Speech, transmission: &Transmission<'_>) -> &'static str {
    let word = match speech {
        Speech::Command(Protocol::Smp) => {
            Command::decode(transmission.command, SmpVersion::MAX).map(|command| command.word())
        }
        Speech::Answer(Protocol::Smp) => {
            Message::decode(transmission.command, SmpVersion::MAX).map(|message| message.word())
        }
        Speech::Command(_) => {
            NtfCommand::decode(transmission.command, NtfVersion::MAX).map(|command| command.word())
        }
        Speech::Answer(_) => {
            Response::decode(transmission.command, NtfVersion::MAX).map(|response| response.word())
        }
    };
    word.unwrap_or("garbage")
}

/// What an entity id names.
pub(super) fn entity_of(speech: Speech, inner: &Transmission<'_>) -> &'static str {
    match (speech, word_of(speech, inner)) {
        (Speech::Command(Protocol::Smp), "SEND" | "SKEY") => "sender id",
        (Speech::Command(Protocol::Smp), "NSUB") | (Speech::Answer(Protocol::Smp), "NMSG") => "notifier id",
        (Speech::Command(Protocol::Smp), _) | (Speech::Answer(Protocol::Smp), "MSG" | "NID") => {
            "recipient id"
        }
        (Speech::Command(_), "SCHK" | "SDEL") => "subscription id",
        (Speech::Command(_), _) => "token id",
        (Speech::Answer(_), _) => "about",
    }
}

/// What a word means, in a few others.
pub(super) fn about(word: &str) -> &'static str {
    match word {
        "NEW" => "create a queue",
        "IDS" => "the queue's two addresses",
        "NKEY" => "let the queue be watched",
        "NID" => "the name to watch it by",
        "SKEY" => "secure the queue for this sender",
        "SEND" => "a message for the queue",
        "NSUB" => "tell me when the queue gets a message",
        "NMSG" => "the queue got a message",
        "SUB" => "give me the queue's messages as they come",
        "GET" => "give me the next message",
        "MSG" => "a message",
        "ACK" => "the message is stored, delete it",
        "TNEW" => "register a device token",
        "IDTKN" => "registered; a push will prove it",
        "TVFY" => "the push came: here is its code",
        "TCHK" => "how is my token?",
        "TKN" => "the token's status",
        "TRPL" => "I have another device token",
        "SNEW" => "watch a queue for me",
        "IDSUB" => "it is watched",
        "SCHK" => "how is the subscription?",
        "PING" => "are you there?",
        "PONG" => "yes",
        "ERR" => "no",
        _ => "",
    }
}
