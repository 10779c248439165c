//! What an answer to NSUB means for the subscription. Source: `smp-transport` 7.4.

use crate::link::requester::ReplyFault;
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::response::Message;

/// The result of an NSUB that was answered. A request without an answer stays pending and is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribed<'a> {
    /// Notifications will come over this link.
    Active,
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
        Ok(Message::Sok { .. } | Message::Ok) => Subscribed::Active,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fault::PeerFault;
    use crate::wire::error_code::CommandError;

    #[test]
    fn every_kind_of_answer() {
        for (result, expected) in [
            (Ok(Message::Ok), Subscribed::Active),
            (Ok(Message::Sok { service: None }), Subscribed::Active),
            (Ok(Message::Sok { service: Some(b"another") }), Subscribed::Active),
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
}
