//! Device tokens that the subscriber cannot read.

use super::*;
use crate::client::Advice;
use crate::relay::sealed_token::OpeningKey;
use crate::wire::error_code::CommandError;

fn opening(number: u8) -> OpeningKey {
    OpeningKey::new(X25519Private::from_bytes([number; 32]))
}

fn sealing_to(key: &OpeningKey) -> Config {
    Config { seal_to: Some(*key.public()), ..Config::default() }
}

impl Bench {
    /// What the push server reads of the device tokens that the subscriber was shown.
    fn opened(&self, key: &OpeningKey) -> Vec<Option<Vec<u8>>> {
        let subscriber = self.server("ntf.test").identity;
        let open = |shown: &DeviceToken| {
            assert_eq!(shown.provider, Provider::Sealed);
            let device = key.open(&shown.token, &subscriber).ok()?;
            assert_eq!(device.provider, Provider::ApnsTest);
            Some(device.token.to_vec())
        };
        self.shown.iter().map(open).collect()
    }

    fn verify_with(&mut self, code: [u8; 32]) {
        let push = self.verification(code);
        self.push(&push);
        assert_eq!(self.client.token_status(), Some(TokenStatus::Active));
    }
}

#[test]
fn the_subscriber_is_shown_what_only_the_push_server_can_read() {
    let key = opening(3);
    let mut bench = Bench::with(sealing_to(&key));
    bench.register(b"aa");
    assert_eq!(bench.opened(&key), [Some(b"aa".to_vec())]);
    assert_eq!(bench.opened(&opening(4)), [None]);
    bench.verify_with([7; 32]);
}

#[test]
fn a_repeat_shows_the_same_bytes_also_after_a_restart() {
    let key = opening(3);
    let mut bench = Bench::with(sealing_to(&key));
    bench.register(b"aa");
    bench.register(b"aa");
    bench.restart_with(sealing_to(&key));
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TNEW"; 3]);
    assert_eq!(bench.shown[1..], [bench.shown[0].clone(), bench.shown[0].clone()]);
    bench.verify_with([7; 32]);
    bench.take_words();
    bench.restart_with(sealing_to(&key));
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TCHK"], "it is the same device, sealed to the same key");
}

#[test]
fn a_fresh_registration_and_another_device_token_are_sealed_anew() {
    let key = opening(3);
    let mut bench = Bench::with(sealing_to(&key));
    bench.register(b"aa");
    bench.twist("TVFY", Twist::Error(ErrorCode::Auth));
    let push = bench.verification([7; 32]);
    bench.push(&push);
    bench.pass(MINUTE / 6);
    assert_eq!(bench.take_words(), ["TNEW", "TVFY", "TNEW"]);
    assert_ne!(bench.shown[0], bench.shown[1], "nothing tells that both are of one device");
    bench.verify_with([8; 32]);
    bench.register(b"bb");
    assert_eq!(bench.take_words().last(), Some(&"TRPL"));
    assert_eq!(bench.opened(&key), [Some(b"aa".to_vec()), Some(b"aa".to_vec()), Some(b"bb".to_vec())]);
}

#[test]
fn another_key_moves_the_registration_when_the_app_gives_its_device_token() {
    let (old, new) = (opening(3), opening(4));
    let mut bench = Bench::with(sealing_to(&old));
    bench.register(b"aa");
    bench.verify_with([7; 32]);
    bench.take_words();
    bench.restart_with(sealing_to(&new));
    bench.register(b"aa");
    assert_eq!(bench.take_words(), ["TRPL"]);
    assert_eq!(bench.opened(&new), [None, Some(b"aa".to_vec())]);
    bench.verify_with([8; 32]);
    bench.restart_with(Config::default());
    bench.register(b"aa");
    let plain = DeviceToken { provider: Provider::ApnsTest, token: b"aa".as_slice().into() };
    assert_eq!(bench.shown.last(), Some(&plain), "an app that seals no more says so by its configuration");
}

#[test]
fn what_cannot_be_sealed_is_not_shown_at_all() {
    let low_order = Config { seal_to: Some(X25519Public::new([0; 32])), ..Config::default() };
    for (config, token) in [(low_order, &b"aa"[..]), (sealing_to(&opening(3)), &[b'a'; 202])] {
        let mut bench = Bench::with(config);
        bench.register(token);
        assert_eq!((bench.take_words(), bench.shown.len()), (vec![], 0));
        assert!(bench.told()[0].contains("cannot be sealed"));
        assert_eq!(bench.client.token_status(), None);
    }
    // One that exists stays as it is.
    let mut bench = Bench::with(sealing_to(&opening(3)));
    bench.register(b"aa");
    bench.verify_with([7; 32]);
    bench.register(&[b'a'; 202]);
    assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
    assert_eq!(bench.shown.len(), 1);
}

#[test]
fn what_the_app_has_sealed_itself_is_shown_as_it_is() {
    let key = opening(3);
    let mut bench = Bench::with(sealing_to(&key));
    let device = DeviceToken { provider: Provider::Sealed, token: vec![1; 255].into() };
    let server = bench.server("ntf.test");
    bench.command(Command::Register { server: server.clone(), device: device.clone() });
    bench.verify_with([7; 32]);
    bench.take_words();
    bench.command(Command::Register { server, device: device.clone() });
    assert_eq!((bench.take_words(), bench.shown.clone()), (vec!["TCHK"], vec![device]));
}

impl Bench {
    /// With a device token that no subscriber could be told of yet.
    fn unheard(config: Config) -> Self {
        let mut bench = Self::with(config);
        bench.is_network_up = false;
        bench.register(b"aa");
        assert_eq!(bench.client.token_status(), Some(TokenStatus::New));
        bench
    }

    fn go_on_with_network(&mut self) {
        self.is_network_up = true;
        self.pass(MINUTE);
    }
}

#[test]
fn what_was_not_shown_before_a_restart_is_sealed_as_configured_after_it() {
    let (old, new) = (opening(3), opening(4));
    for before in [Config::default(), sealing_to(&old)] {
        let mut bench = Bench::unheard(before);
        bench.import_with(sealing_to(&new));
        bench.go_on_with_network();
        assert_eq!(bench.opened(&new).first(), Some(&Some(b"aa".to_vec())), "and before the app gives it");
    }
}

#[test]
fn a_replacement_that_was_not_shown_before_a_restart_is_sealed_after_it() {
    let key = opening(3);
    let mut bench = Bench::active();
    bench.is_network_up = false;
    bench.cut();
    bench.register(b"bb");
    bench.shown.clear();
    bench.import_with(sealing_to(&key));
    bench.go_on_with_network();
    assert_eq!(bench.take_words().first(), Some(&"TRPL"));
    assert_eq!(bench.opened(&key).first(), Some(&Some(b"bb".to_vec())));
}

#[test]
fn what_cannot_be_sealed_after_a_restart_is_not_shown_either() {
    let mut bench = Bench::unheard(Config::default());
    bench.told();
    bench.import_with(Config { seal_to: Some(X25519Public::new([0; 32])), ..Config::default() });
    bench.go_on_with_network();
    assert_eq!((bench.take_words(), bench.shown.len()), (vec![], 0));
    assert_eq!(bench.client.token_status(), None);
    assert!(bench.told()[0].contains("cannot be sealed"));
}

#[test]
fn a_subscriber_that_minds_the_sealing_is_a_matter_of_configuration() {
    for (config, refusal) in
        [(sealing_to(&opening(3)), CommandError::Syntax), (Config::default(), CommandError::Prohibited)]
    {
        let mut bench = Bench::with(config);
        bench.twist("TNEW", Twist::Error(ErrorCode::Cmd(refusal)));
        bench.register(b"aa");
        let given: Vec<_> = bench.events.iter().filter_map(Event::advice).collect();
        assert_eq!(given, [Advice::Configure]);
    }
}
