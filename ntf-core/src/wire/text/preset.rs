//! Well-known servers and their onion hosts.
//!
//! Clients look queues up by the whole list of hosts, and the reference completes these six addresses
//! whenever it reads a notifier address: in SNEW and in pushes. Whoever does not loses their messages.
//! Source: `ntf-protocol` 2.1.

use crate::model::server::ServerAddress;

/// Gives a preset server that is named by its one public host its onion host as second.
pub fn add_onion(server: &mut ServerAddress) {
    let onion = match server.hosts.as_slice() {
        [host] => PRESETS.iter().find(|(preset, _)| **preset == **host).map(|(_, onion)| *onion),
        _ => None,
    };
    server.hosts.extend(onion.map(Into::into));
}

const PRESETS: [(&str, &str); 6] = [
    ("smp4.simplex.im", "o5vmywmrnaxalvz6wi3zicyftgio6psuvyniis6gco6bp6ekl4cqj4id.onion"),
    ("smp5.simplex.im", "jjbyvoemxysm7qxap7m5d5m35jzv5qq6gnlv7s4rsn7tdwwmuqciwpid.onion"),
    ("smp6.simplex.im", "bylepyau3ty4czmn77q4fglvperknl4bi2eb2fdy2bh4jxtf32kf73yd.onion"),
    ("smp8.simplex.im", "beccx4yfxxbvyhqypaavemqurytl6hozr47wfc7uuecacjqdvwpw2xid.onion"),
    ("smp9.simplex.im", "jssqzccmrcws6bhmn77vgmhfjmhwlyr3u7puw4erkyoosywgl67slqqd.onion"),
    ("smp10.simplex.im", "rb2pbttocvnbrngnwziclp2f4ckjq65kebafws6g4hy22cdaiv5dwjqd.onion"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::Fingerprint;
    use alloc::vec;

    #[test]
    fn only_a_preset_server_with_one_host_is_completed() {
        for (hosts, len) in [
            (vec!["smp8.simplex.im"], 2),
            (vec!["smp7.simplex.im"], 1),
            (vec!["SMP8.simplex.im"], 1),
            (vec!["smp8.simplex.im", "other.onion"], 2),
            (vec!["localhost"], 1),
        ] {
            let mut server = ServerAddress {
                hosts: hosts.iter().copied().map(Into::into).collect(),
                port: "".into(),
                identity: Fingerprint::new([0; 32]),
            };
            add_onion(&mut server);
            assert_eq!(server.hosts.len(), len, "{hosts:?}");
            let given: vec::Vec<_> = server.hosts.iter().take(hosts.len()).map(|host| &**host).collect();
            assert_eq!(given, hosts);
        }
    }
}
