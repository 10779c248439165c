//! The steps of apps that the operating system wakes: a background refresh, and a push in an extension.

use super::*;
use crate::client::push_step::{PushKind, PushOutcome, StepEffect, StepInput};
use crate::client::{Mode, PushStep};

const BUDGET: Duration = Duration::from_secs(25);

impl Bench {
    /// Puts a message with the given number into a queue, without a notice.
    fn leave(&mut self, queue: usize, number: u8) {
        self.body(queue, number, &MessageBody::Message { sent_at: 10, notify: true, message: &[number] });
    }

    fn refreshed(&mut self) -> Vec<(u64, usize)> {
        let refreshed = |event| match event {
            Event::Refreshed { messages, queues_left, .. } => Some((messages, queues_left)),
            _ => None,
        };
        core::mem::take(&mut self.events).into_iter().filter_map(refreshed).collect()
    }

    /// Opens a push as an extension would: with the part of the state that it gets.
    fn extension(&mut self, push: &str, fetches_max: usize) -> PushStep {
        let state = self.client.export_for_pushes();
        let seed = Seed::from_number(8);
        PushStep::new(Config::default(), seed, self.now, &state, push.as_bytes(), fetches_max).unwrap()
    }

    /// Lets a step work with the bench's servers until it is over.
    fn work(&mut self, step: &mut PushStep) -> PushOutcome {
        // Its links are another process's, and are numbered from the same beginning.
        let peers = core::mem::take(&mut self.peers);
        for _ in 0..1000 {
            match step.poll() {
                Step::Do(StepEffect::Done(outcome)) => {
                    self.peers = peers;
                    return outcome;
                }
                // The bench's servers answer whatever client it has.
                Step::Do(StepEffect::Link(action)) => {
                    core::mem::swap(&mut self.client, &mut step.client);
                    self.perform(action);
                    core::mem::swap(&mut self.client, &mut step.client);
                }
                Step::Idle(deadline) => {
                    let at = deadline.expect("something to wait for").at;
                    self.set_time(at.max(self.now.mono));
                    step.handle(self.now, StepInput::Tick);
                }
            }
        }
        panic!("the step does not end");
    }
}

fn numbers(outcome: &PushOutcome) -> Vec<u8> {
    outcome.messages.iter().map(|got| got.message[0]).collect()
}

#[test]
fn a_refresh_looks_into_every_queue_and_ends_when_all_is_done() {
    for mode in [Mode::Instant, Mode::Periodic, Mode::Off] {
        let mut bench = Bench::watching();
        bench.create();
        bench.command(Command::SetMode(mode));
        bench.told();
        bench.leave(0, 1);
        bench.leave(1, 2);
        bench.leave(1, 3);
        bench.client.refresh(bench.now, BUDGET);
        bench.settle();
        assert_eq!(bench.refreshed(), [(3, 0)], "{mode:?}: without waiting for the time to be over");
        bench.pass(BUDGET);
        assert_eq!(bench.refreshed(), [], "{mode:?}: once");
    }
}

#[test]
fn a_refresh_ends_in_time_and_says_what_is_left() {
    let mut bench = Bench::watching();
    bench.leave(0, 1);
    bench.is_network_up = false;
    bench.client.refresh(bench.now, BUDGET);
    bench.pass(BUDGET - Duration::from_millis(1));
    assert_eq!(bench.refreshed(), []);
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.refreshed(), [(0, 1)]);
    // Over the end of the process, too.
    bench.is_network_up = true;
    bench.restart();
    bench.pass(MINUTE);
    assert_eq!(bench.got(), [1], "what is left is still intended");
}

#[test]
fn an_extension_makes_keys_of_the_queues_that_its_push_names_and_of_no_others() {
    let mut bench = Bench::watching();
    for _ in 0..4 {
        bench.create();
    }
    let notices = [bench.message(1, 1, 10), bench.message(3, 2, 11)];
    let push = bench.notices(&notices);
    let step = bench.extension(&push, 8);
    assert_eq!(step.client.queues().count(), 2, "of five");
    let look =
        bench.extension(r#"{"aps":{"content-available":1},"notificationData":{"checkMessages":true}}"#, 8);
    assert_eq!(look.client.queues().count(), 5, "it may be any of them");
    let strange = bench.extension(r#"{"notificationData":{}}"#, 8);
    assert_eq!(strange.client.queues().count(), 0);
}

#[test]
fn an_extension_gets_what_a_push_announces_with_a_part_of_the_state() {
    let mut bench = Bench::watching();
    bench.send(b"a sender's key is none of its business");
    let part = bench.client.export_for_pushes();
    assert!(part.len() < bench.client.export().len());
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    let mut step = bench.extension(&push, 8);
    let outcome = bench.work(&mut step);
    assert_eq!((outcome.kind, outcome.has_more), (PushKind::Messages, false));
    assert_eq!(outcome.queues, [bench.first_queue()]);
    assert_eq!(numbers(&outcome), [1]);
    assert!(bench.queues[0].messages.is_empty(), "it is acknowledged");
    assert!(matches!(step.poll(), Step::Do(StepEffect::Link(LinkAction::Close { .. }))));
    assert!(matches!(step.poll(), Step::Idle(None)));
}

#[test]
fn an_extension_fetches_no_more_than_it_may() {
    for (fetches, expected, has_more) in
        [(0, 0, true), (1, 1, true), (3, 3, true), (4, 3, false), (9, 3, false)]
    {
        let mut bench = Bench::watching();
        let notices: Vec<_> = (1..=3).map(|number| bench.message(0, number, 10)).collect();
        let push = bench.notices(&notices[2..]);
        bench.take_words();
        let mut step = bench.extension(&push, fetches);
        let outcome = bench.work(&mut step);
        assert_eq!(outcome.messages.len(), expected, "{fetches}");
        assert_eq!(outcome.has_more, has_more, "{fetches}");
        let gets = bench.take_words().iter().filter(|word| **word == "GET").count();
        assert!(gets <= fetches, "{gets} of {fetches}");
    }
}

#[test]
fn a_stranger_s_push_is_an_outcome_and_no_connection() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 1, 10);
    let good = bench.notices(&[notice]);
    let verification = bench.verification([1; 32]);
    bench.token_key = Some(BoxKey::of_key(&[9; 32]));
    let notice = bench.notice(0, 1, 10);
    let foreign = bench.notices(&[notice]);
    for (push, why) in [
        (foreign.as_str(), "does not open"),
        (&good[..good.len() / 2], "not the JSON object"),
        ("", "not the JSON object"),
        (r#"{"notificationData":{}}"#, "not known"),
    ] {
        let mut step = bench.extension(push, 8);
        bench.dialled.clear();
        let outcome = bench.work(&mut step);
        let PushKind::Rejected(said) = outcome.kind else { panic!("{outcome:?}") };
        assert!(said.contains(why), "{said}");
        assert!(bench.dialled.is_empty(), "{why}");
    }
    let mut step = bench.extension(&verification, 8);
    assert_eq!(bench.work(&mut step).kind, PushKind::Verification);
    // And the client goes on as if nothing had been.
    bench.take_words();
    bench.command(Command::FetchAll);
    assert_eq!(bench.got(), [1]);
}

#[test]
fn an_extension_whose_time_is_over_tells_what_it_has() {
    let mut bench = Bench::watching();
    let notice = bench.message(0, 1, 10);
    let push = bench.notices(&[notice]);
    let mut step = bench.extension(&push, 8);
    assert!(matches!(step.poll(), Step::Do(StepEffect::Link(LinkAction::Connect { .. }))));
    step.handle(bench.now, StepInput::Expire);
    let Step::Do(StepEffect::Done(outcome)) = step.poll() else { panic!("it is over") };
    assert!(outcome.has_more && outcome.messages.is_empty());
}
