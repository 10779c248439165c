//! One registration for each device token.

use loom::thread;
use ntf_core::host::claims::{Claim, Claims, Ledger, Verdict};
use ntf_core::host::mailbox::{Receiver, Sender, bounded};
use ntf_core::host::wake::block_on;

use crate::check;

const TOKEN: &str = "token";

/// A thread that registers the token, tells the other, and hears of the other's. The registration it is left with.
fn register(
    mut ledger: Ledger<&'static str>,
    tell: &Sender<Claim>,
    mut heard: Receiver<Claim>,
) -> Option<Claim> {
    let mine = ledger.claim(TOKEN);
    tell.try_send(mine).unwrap();
    let other = block_on(heard.recv()).unwrap();
    match ledger.on_other(&TOKEN, other) {
        Verdict::GivesWay(_) | Verdict::Unknown => None,
        Verdict::Stays => Some(mine),
    }
}

/// One device token is verified on two shards at once: exactly one registration stays.
///
/// Mutants: `claims_give_way_to_anyone`, `claims_share_numbers`.
#[test]
fn of_two_registrations_at_once_one_stays() {
    check(|| {
        let claims = Claims::new();
        let (to_one, one_heard) = bounded(1);
        let (to_two, two_heard) = bounded(1);
        let (one, two) = (Ledger::new(claims.clone()), Ledger::new(claims));
        let other = thread::spawn(move || register(two, &to_one, two_heard));
        let here = register(one, &to_two, one_heard);
        let there = other.join().unwrap();
        assert!(here.is_some() != there.is_some(), "{here:?} and {there:?}");
    });
}

/// What reaches the shard whose registration gives way.
enum Letter {
    Registered(Claim),
    Outcome(Claim),
}

/// A token is superseded on another shard while a push is in flight, and then registers here again: the outcome of
/// the push counts for the registration it was sent for or for none, never for the later one.
///
/// Mutants: `claims_outcome_by_token_only`.
#[test]
fn an_outcome_in_flight_never_counts_for_a_later_registration() {
    check(|| {
        let claims = Claims::new();
        let (mut here, mut there) = (Ledger::new(claims.clone()), Ledger::new(claims));
        let pushed = here.claim(TOKEN);
        let (to_here, mut heard) = bounded(2);
        let provider = thread::spawn({
            let to_here = to_here.clone();
            move || to_here.try_send(Letter::Outcome(pushed)).is_ok()
        });
        let other = thread::spawn(move || {
            let claim = there.claim(TOKEN);
            to_here.try_send(Letter::Registered(claim)).is_ok()
        });
        let mut again = None;
        let (mut counted, mut late) = (0, 0);
        for _ in 0..2 {
            match block_on(heard.recv()).unwrap() {
                Letter::Registered(claim) => {
                    assert_eq!(here.on_other(&TOKEN, claim), Verdict::GivesWay(pushed));
                    again = Some(here.claim(TOKEN));
                }
                Letter::Outcome(claim) if here.holds(&TOKEN, claim) => {
                    assert!(again.is_none(), "the outcome of another registration");
                    counted += 1;
                }
                Letter::Outcome(_) => late += 1,
            }
        }
        assert_eq!(counted + late, 1);
        assert!(here.holds(&TOKEN, again.unwrap()));
        assert!(provider.join().unwrap() && other.join().unwrap());
    });
}
