//! What an answer to NSUB means for the subscription. Source: `smp-transport` 7.4.

use crate::link::requester::ReplyFault;
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::response::Message;

/// The result of an NSUB that was answered. A request without an answer stays pending and is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed<'a> {
    /// Notifications will come over this link.
    Active {
        /// The service with which the server associates the queue, if any.
        service: Option<&'a [u8]>,
    },
    /// The queue is unknown or the key is wrong. Repeating does not help.
    Unauthorized,
    /// The rules of service sessions were violated. Repeating does not help.
    ServiceRefused,
    /// The server is in trouble of its own; repeat after a while.
    ///
    /// The reference gives such a queue up; a storage that fails for a minute would then cost its
    /// notifications for good. Source: ours.
    TryLater(ErrorCode<'a>),
    /// Another error for good.
    Failed(ErrorCode<'a>),
    /// The reply is none that NSUB can have.
    Unexpected,
}

/// Reads the answer to an NSUB.
#[must_use]
pub const fn subscribed<'a>(result: &Result<Message<'a>, ReplyFault>) -> Subscribed<'a> {
    match result {
        Ok(Message::Sok { service }) => Subscribed::Active { service: *service },
        Ok(Message::Ok) => Subscribed::Active { service: None },
        Ok(Message::Err(code)) => match *code {
            ErrorCode::Auth => Subscribed::Unauthorized,
            ErrorCode::Service => Subscribed::ServiceRefused,
            code @ (ErrorCode::Store(_) | ErrorCode::Internal | ErrorCode::Quota) => {
                Subscribed::TryLater(code)
            }
            code @ (ErrorCode::Block
            | ErrorCode::Session
            | ErrorCode::Cmd(_)
            | ErrorCode::Proxy(_)
            | ErrorCode::Blocked(_)
            | ErrorCode::Crypto
            | ErrorCode::NoMsg
            | ErrorCode::LargeMsg
            | ErrorCode::Expired
            | ErrorCode::Duplicate
            | ErrorCode::Other(_)) => Subscribed::Failed(code),
        },
        Ok(
            Message::Ids(_)
            | Message::Lnk { .. }
            | Message::Soks { .. }
            | Message::Msg { .. }
            | Message::Nid(_)
            | Message::Nmsg { .. }
            | Message::End
            | Message::Ends { .. }
            | Message::Deld
            | Message::Info { .. }
            | Message::Pong
            | Message::Pkey { .. }
            | Message::Pres { .. }
            | Message::Rres { .. },
        )
        | Err(ReplyFault::Malformed(_) | ReplyFault::WrongEntity) => Subscribed::Unexpected,
    }
}

/// The result of an NSUBS that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// Notifications of so many queues will come over this link.
    Active {
        /// Queues that the server associates with the service.
        count: u64,
    },
    /// The server is in trouble of its own; repeat after a while.
    TryLater,
    /// The server does not do it, now or ever: ask for each queue.
    Failed,
}

/// Reads the answer to an NSUBS. Source: `smp-transport` 7.6.
#[must_use]
pub fn resumed(result: &Result<Message<'_>, ReplyFault>) -> Resumed {
    if let Ok(Message::Soks { count }) = result {
        return u64::try_from(*count).map_or(Resumed::Failed, |count| Resumed::Active { count });
    }
    match subscribed(result) {
        Subscribed::TryLater(_) => Resumed::TryLater,
        Subscribed::Active { .. }
        | Subscribed::Unauthorized
        | Subscribed::ServiceRefused
        | Subscribed::Failed(_)
        | Subscribed::Unexpected => Resumed::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fault::PeerFault;
    use crate::wire::error_code::CommandError;

    #[test]
    fn every_kind_of_answer() {
        for (result, expected) in [
            (Ok(Message::Ok), Subscribed::Active { service: None }),
            (Ok(Message::Sok { service: None }), Subscribed::Active { service: None }),
            (Ok(Message::Sok { service: Some(b"one") }), Subscribed::Active { service: Some(b"one") }),
            (Ok(Message::Err(ErrorCode::Auth)), Subscribed::Unauthorized),
            (Ok(Message::Err(ErrorCode::Service)), Subscribed::ServiceRefused),
            (Ok(Message::Err(ErrorCode::Internal)), Subscribed::TryLater(ErrorCode::Internal)),
            (Ok(Message::Err(ErrorCode::Store("disk"))), Subscribed::TryLater(ErrorCode::Store("disk"))),
            (
                Ok(Message::Err(ErrorCode::Cmd(CommandError::Unknown))),
                Subscribed::Failed(ErrorCode::Cmd(CommandError::Unknown)),
            ),
            (Ok(Message::Err(ErrorCode::Other("NEW"))), Subscribed::Failed(ErrorCode::Other("NEW"))),
            (Ok(Message::Pong), Subscribed::Unexpected),
            (Ok(Message::End), Subscribed::Unexpected),
            (Err(ReplyFault::WrongEntity), Subscribed::Unexpected),
            (Err(ReplyFault::Malformed(PeerFault::UnknownCommand)), Subscribed::Unexpected),
        ] {
            assert_eq!(subscribed(&result), expected, "{result:?}");
        }
    }

    #[test]
    fn every_kind_of_answer_to_a_whole_service() {
        for (result, expected) in [
            (Ok(Message::Soks { count: 0 }), Resumed::Active { count: 0 }),
            (Ok(Message::Soks { count: i64::MAX }), Resumed::Active { count: 0x7fff_ffff_ffff_ffff }),
            (Ok(Message::Soks { count: -1 }), Resumed::Failed),
            (Ok(Message::Ok), Resumed::Failed),
            (Ok(Message::Sok { service: None }), Resumed::Failed),
            (Ok(Message::Err(ErrorCode::Service)), Resumed::Failed),
            (Ok(Message::Err(ErrorCode::Internal)), Resumed::TryLater),
            (Err(ReplyFault::WrongEntity), Resumed::Failed),
        ] {
            assert_eq!(resumed(&result), expected, "{result:?}");
        }
    }
}
