//! What a subscriber's state takes, counted by the allocator of the process.
//!
//! `cargo test -p ntf-tests --test memory -- --nocapture` prints the figures.

use ntf_core::Now;
use ntf_core::base::id::EntityId;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private};
use ntf_core::crypto::names::NameKey;
use ntf_core::model::server::{Fingerprint, ServerAddress};
use ntf_core::model::shard::ShardPlan;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::subscription::limits::SubscriptionLimits;
use ntf_core::subscription::row::Wanted;
use ntf_core::subscription::table::Subscriptions;
use ntf_core::token::limits::TokenLimits;
use ntf_core::token::registration::{Makers, Origin, Registration};
use ntf_core::token::table::Tokens;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const TOKENS: usize = 1000;
const SUBSCRIPTIONS: usize = 100_000;
const SERVERS: usize = 20;

/// Bytes that all of it may take; and each token, and each subscription.
const BOUND: usize = 15_000_000;
const TOKEN_BOUND: usize = 400;
const SUBSCRIPTION_BOUND: usize = 140;

#[test]
fn a_hundred_thousand_subscriptions_of_a_thousand_devices_take_less_than_15_mb() {
    let seed = Seed::from_number(1);
    let mut rng = seed.stream(Stream::World);
    let mut hashing = seed.stream(Stream::Hashing);
    let mut makers = Makers {
        ids: seed.stream(Stream::Ids),
        plan: ShardPlan::ALONE,
        keys: seed.stream(Stream::Keys),
        codes: seed.stream(Stream::Codes),
    };
    let names = NameKey::new(ShardPlan::ALONE, &mut seed.stream(Stream::Names));
    let before = ALLOCATOR.current_usage();
    let mut tokens = Tokens::new(TokenLimits::default(), &mut hashing);
    let owners: Vec<_> = (0..TOKENS)
        .map(|_| {
            let wanted = registration(&mut rng);
            tokens.register(Now::default(), wanted, &mut makers).expect("there is room").index()
        })
        .collect();
    // What the test keeps for itself is not the subscriber's.
    let own = size_of_val(owners.as_slice());
    let of_tokens = ALLOCATOR.current_usage() - before - own;
    let mut subscriptions = Subscriptions::new(SubscriptionLimits::default(), &mut hashing, names);
    for number in 0..SUBSCRIPTIONS {
        let owner = *owners.get(number % TOKENS).expect("a token");
        let wanted = Wanted {
            owner,
            server: server(number % SERVERS),
            notifier: EntityId::new(&rng.bytes::<24>()).expect("24 bytes"),
            key: AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut rng)),
        };
        subscriptions.create(wanted).expect("there is room");
    }
    let all = ALLOCATOR.current_usage() - before - own;
    let of_subscriptions = all - of_tokens;
    let (each_token, each_subscription) = (of_tokens / TOKENS, of_subscriptions / SUBSCRIPTIONS);
    println!(
        "{TOKENS} tokens and {SUBSCRIPTIONS} subscriptions: {all} bytes; {each_token} per token, {each_subscription} per \
         subscription"
    );
    assert_eq!((tokens.len(), subscriptions.len()), (1000, 100_000));
    assert!(all < BOUND, "{all} bytes");
    assert!(each_token < TOKEN_BOUND, "{each_token} bytes");
    assert!(each_subscription < SUBSCRIPTION_BOUND, "{each_subscription} bytes");
}

fn registration(rng: &mut Rng) -> Registration {
    let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(rng));
    let token: String = rng.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    Registration {
        device: DeviceToken { provider: Provider::ApnsProd, token: token.into_bytes().into() },
        verify_key: key.public().expect("a key of this build"),
        client_public: X25519Private::generate(rng).public(),
        origin: Origin::default(),
        id: None,
    }
}

fn server(number: usize) -> ServerAddress {
    ServerAddress {
        hosts: vec![format!("smp{number}.example.org").into()],
        port: "".into(),
        identity: Fingerprint::new([7; 32]),
    }
}
