//! What nodes ask for, in the words of a trace.

use crate::client::effect::Probe;
use crate::link::event::LinkAction;
use crate::sim::node::Asked;
use alloc::format;
use alloc::string::String;

/// What a node asks for, for people.
pub(super) fn words_of(asked: &Asked) -> String {
    match asked {
        Asked::Link(LinkAction::Connect { link, server, .. }) => {
            let host = server.hosts.first().map(|host| &**host).unwrap_or_default();
            format!("-> connects to {host} on {link:?}")
        }
        Asked::Link(LinkAction::Send { link, block }) => format!("-> {} bytes on {link:?}", block.len()),
        Asked::Link(LinkAction::Close { link }) => format!("-> closes {link:?}"),
        Asked::Probe(Probe { link, after }) => format!("-> lets TCP ask on {link:?} after {after:?}"),
        Asked::Order(order) => {
            let token = String::from_utf8_lossy(&order.device.token).into_owned();
            format!("-> orders {:?} {} for token {token}", order.payload.kind(), order.id.0)
        }
        Asked::Outcome(outcome) => format!("-> order {}: {:?}", outcome.id.0, outcome.result),
        Asked::Recognised { push, .. } => format!("-> recognises the device of order {}", push.0),
        Asked::Request(request) => format!("-> asks the provider, request {}", request.id.0),
        Asked::Answer { request, reply, .. } => format!("-> answers request {}: {}", request.0, reply.status),
        Asked::Deliver { token, .. } => format!("-> pushes to token {}", String::from_utf8_lossy(token)),
        Asked::Nothing => "-> tells".into(),
    }
}
