//! Links on which the client is a service.

use super::*;
use crate::crypto::cert::self_signed;
use crate::link::dialect::Smp;
use crate::link::requester::NotSent;
use crate::link::responder::Credential;
use crate::link::state::{Greeted, LinkFault, ServiceIdentity};
use crate::wire::hello::smp::ServiceRole;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;

fn service(number: u64) -> ServiceIdentity {
    let credentials = Box::new(self_signed(&mut keys(number)));
    ServiceIdentity { credentials, role: ServiceRole::Notifier }
}

/// A link over which a client shows the certificate of one service and says to be another.
struct Meeting {
    client: Transport,
    server: Responder<Smp>,
    answer: Block,
    greeted: Greeted<Smp>,
}

impl Meeting {
    fn new(
        version: u16,
        encryption: BlockEncryption,
        shown: &ServiceIdentity,
        said: &ServiceIdentity,
    ) -> Self {
        let credentials = credentials(1);
        let Tls { mut client, mut server } = Tls::new(&credentials);
        client.showed_certificate = true;
        server.peer_chain.clone_from(&shown.credentials.chain);
        let mut server =
            Responder::<Smp>::accept(&server, &credentials, Smp::VERSIONS, &mut keys(1)).unwrap();
        let hello = server.take_block().unwrap();
        let identity = credentials.identity().unwrap();
        let greeting = ClientGreeting::<Smp>::new(client.clone(), identity, only(version), encryption);
        let (greeted, answer) = greeting.on_hello_as(said, &hello, &mut keys(2)).unwrap();
        Self { client, server, answer, greeted }
    }

    /// What the client makes of the server's last block.
    fn client_hears(mut self) -> LinkFault {
        let Greeted::Introduced(greeting) = self.greeted else { panic!("no service") };
        let block = self.server.take_block().unwrap();
        assert!(self.server.take_block().is_none() && self.server.version().is_none());
        greeting.on_answer(&block).unwrap_err()
    }
}

fn open(version: u16, encryption: BlockEncryption) -> Pair<Smp> {
    let service = service(9);
    let mut meeting = Meeting::new(version, encryption, &service, &service);
    assert!(meeting.server.on_block(&mut meeting.answer).is_ok());
    assert_eq!(meeting.server.version(), None, "it waits to be told");
    let applicant = meeting.server.applicant().unwrap();
    assert_eq!(applicant.identity(), service.credentials.identity().unwrap());
    assert_eq!(applicant.role(), ServiceRole::Notifier);
    meeting.server.accept_service(entity(40));
    let Greeted::Introduced(greeting) = meeting.greeted else { panic!("no service") };
    let session = greeting.on_answer(&meeting.server.take_block().unwrap()).unwrap();
    assert_eq!(session.service(), Some(&entity(40)));
    let correlation = Seed::from_number(3).stream(Stream::Correlation);
    Pair { client: Requester::new(session, RequesterPlan::default(), correlation), server: meeting.server }
}

#[test]
fn a_service_signs_what_it_has_to_and_the_server_agrees() {
    for version in [16, 17, 18] {
        for encryption in [BlockEncryption::WherePossible, BlockEncryption::Never] {
            let mut pair = open(version, encryption);
            let keys = [ed25519_key(7), x25519_key(8)];
            for (tag, key) in (0..).zip(&keys) {
                let (entity, now) = (entity(1), now(0).mono);
                pair.client.request(now, Some(&entity), Some(key), &Command::Nsub, tag).unwrap();
            }
            pair.client.request(now(0).mono, Some(&entity(40)), None, &Command::Nsubs, 2).unwrap();
            pair.client.request(now(0).mono, None, None, &Command::Ping, 3).unwrap();
            let mut authorized = 0;
            for mut block in pair.client_blocks() {
                let mut requests = pair.server.on_block(&mut block).unwrap();
                while let Some(request) = pair.server.next_request(&mut requests) {
                    let key = keys.get(authorized).and_then(AuthPrivateKey::public);
                    let credential = key.as_ref().map_or(Credential::Open, Credential::Key);
                    let done = pair.server.verify(request, credential).unwrap();
                    let message = if authorized == 3 { Message::Pong } else { Message::Soks { count: 1 } };
                    pair.server.reply(done.reply_to(), &message);
                    authorized += 1;
                }
            }
            assert_eq!(authorized, 4, "version {version}, {encryption:?}");
            assert_eq!(pair.answers().len(), 4);
        }
    }
}

#[test]
fn below_version_16_or_unasked_a_client_is_like_any_other() {
    let service = service(9);
    for version in each(Smp::VERSIONS) {
        let meeting = Meeting::new(version, BlockEncryption::default(), &service, &service);
        assert_eq!(matches!(meeting.greeted, Greeted::Introduced(_)), version >= 16, "{version}");
    }
    let credentials = credentials(1);
    let Tls { client, server } = Tls::new(&credentials);
    let mut server = Responder::<Smp>::accept(&server, &credentials, Smp::VERSIONS, &mut keys(1)).unwrap();
    let identity = credentials.identity().unwrap();
    let greeting = ClientGreeting::<Smp>::new(client, identity, Smp::VERSIONS, BlockEncryption::default());
    let hello = server.take_block().unwrap();
    let (greeted, mut answer) = greeting.on_hello_as(&service, &hello, &mut keys(2)).unwrap();
    let Greeted::Open(session) = greeted else { panic!("nobody asked for the certificate") };
    assert!(server.on_block(&mut answer).is_ok() && server.version().is_some());
    let mut client: Requester<Smp, u32> =
        Requester::new(session, RequesterPlan::default(), Seed::from_number(3).stream(Stream::Correlation));
    let sent = client.request(now(0).mono, Some(&entity(40)), None, &Command::Nsubs, 2);
    assert_eq!(sent, Err(NotSent::NoService));
    assert!(client.request(now(0).mono, Some(&entity(1)), Some(&ed25519_key(7)), &Command::Nsub, 2).is_ok());
}

#[test]
fn whoever_shows_another_certificate_than_he_claims_is_refused() {
    let (ours, theirs) = (service(9), service(10));
    let forged = ServiceIdentity {
        credentials: Box::new(ServerCredentials {
            chain: theirs.credentials.chain.clone(),
            leaf_key: ours.credentials.leaf_key.clone(),
        }),
        ..ours.clone()
    };
    for (what, shown, said) in [("chain", &ours, &theirs), ("signature", &theirs, &forged)] {
        let mut meeting = Meeting::new(18, BlockEncryption::default(), shown, said);
        let fault = meeting.server.on_block(&mut meeting.answer).err();
        assert_eq!(fault, Some(LinkFault::UnprovenService), "{what}");
        assert_eq!(meeting.client_hears(), LinkFault::ServiceRefused, "{what}");
    }
}

#[test]
fn a_service_that_is_not_welcome_is_told_so() {
    let service = service(9);
    let mut meeting = Meeting::new(18, BlockEncryption::default(), &service, &service);
    assert!(meeting.server.on_block(&mut meeting.answer).is_ok());
    meeting.server.refuse_service();
    assert_eq!(meeting.client_hears(), LinkFault::ServiceRefused);
}

#[test]
fn a_service_that_does_not_wait_for_the_answer_is_closed_on() {
    let service = service(9);
    let mut meeting = Meeting::new(18, BlockEncryption::default(), &service, &service);
    assert!(meeting.server.on_block(&mut meeting.answer.clone()).is_ok());
    assert_eq!(meeting.server.on_block(&mut meeting.answer).err(), Some(LinkFault::UnprovenService));
}

#[test]
fn answers_that_make_no_sense_end_the_link() {
    let service = service(9);
    for content in [&b""[..], b"R\0", b"X", b"R\x05abc"] {
        let meeting = Meeting::new(18, BlockEncryption::default(), &service, &service);
        let Greeted::Introduced(greeting) = meeting.greeted else { panic!("no service") };
        let block: Block = crate::wire::block::Layout::plain(Smp::PROTOCOL).block(content).unwrap().into();
        assert!(greeting.on_answer(&block).is_err(), "{content:?}");
        assert!(meeting.client.showed_certificate);
    }
}
