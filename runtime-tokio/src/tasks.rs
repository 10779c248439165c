//! Tasks that end with whoever started them.

use std::collections::VecDeque;

use crate::rt::Task;

/// Below this many it is not worth looking for those that have ended.
const PRUNE_MIN: usize = 16;

/// Tasks, oldest first. Dropping this ends them all.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: VecDeque<Task<()>>,
    prune_at: usize,
    /// Taken in since it was last looked for those that have ended.
    added: usize,
}

impl Tasks {
    /// Takes a task in. Those that have ended are let go each time the number has doubled.
    pub(crate) fn add(&mut self, task: Task<()>) {
        if self.running.len() >= self.prune_at {
            self.prune();
        }
        self.running.push_back(task);
        self.added += 1;
    }

    /// Takes a task in; if that makes more than `bound`, ends the oldest.
    ///
    /// Those that have ended are let go as by [`add`](Self::add), and make room first. In a flood of tasks that do not end,
    /// they are looked for only each time a quarter of `bound` has come in, so that one more costs the same however
    /// many there are; while more than three quarters run, the oldest may have to go a little early.
    pub(crate) fn add_within(&mut self, bound: usize, task: Task<()>) {
        self.add(task);
        if self.running.len() > bound && self.added > bound / 4 {
            self.prune();
        }
        if self.running.len() > bound
            && let Some(oldest) = self.running.pop_front()
        {
            oldest.abort();
        }
    }

    fn prune(&mut self) {
        self.running.retain(|task| !task.is_finished());
        self.prune_at = (self.running.len() * 2).max(PRUNE_MIN);
        self.added = 0;
    }

    /// Ends all, and waits until what they held is dropped. If it is itself dropped meanwhile, they are ended
    /// all the same.
    pub(crate) async fn cancel(mut self) {
        // One by one: `drop` ends those that are still in there.
        while let Some(task) = self.running.pop_front() {
            task.cancel().await;
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in self.running.drain(..) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_lite::future::{poll_once, yield_now};
    use ntf_core::host::mailbox;

    use super::*;
    use crate::rt::{Died, run, spawn};

    #[test]
    fn a_task_that_panics_is_told_as_dead_and_takes_nobody_along() {
        run(1, async {
            let dead: Task<()> = spawn(async { panic!("on purpose") });
            assert_eq!(dead.await, Err(Died));
            assert_eq!(spawn(async { 7 }).await, Ok(7));
        })
        .unwrap();
    }

    #[test]
    fn the_result_of_a_task_waits_for_whoever_takes_it() {
        run(1, async {
            let mut task = spawn(async { 7 });
            for _ in 0..2 {
                task.ended().await;
                assert!(task.is_finished());
            }
            assert_eq!((&mut task).await, Ok(7));
            task.ended().await;
            assert_eq!(task.await, Err(Died), "it was taken");
        })
        .unwrap();
    }

    #[test]
    fn a_task_whose_runtime_is_gone_is_told_as_dead() {
        for threads in [1, 2] {
            let mut left = None;
            run(threads, async { left = Some(spawn(pending::<()>())) }).unwrap();
            let mut task = left.expect("it was started");
            run(1, task.ended()).unwrap();
            assert_eq!(run(1, task).unwrap(), Err(Died));
        }
    }

    #[test]
    fn a_task_that_nobody_holds_runs_on() {
        run(1, async {
            let (say, mut said) = mailbox::bounded(1);
            drop(spawn(async move { say.try_send("done") }));
            assert_eq!(said.recv().await, Some("done"));
        })
        .unwrap();
    }

    #[test]
    fn what_a_task_held_is_dropped_with_it() {
        let ends: [fn(Tasks) -> Option<Tasks>; 3] = [
            |tasks| {
                drop(tasks);
                None
            },
            |mut tasks| {
                tasks.add_within(1, spawn(pending()));
                Some(tasks)
            },
            Some,
        ];
        run(1, async {
            for end in ends {
                let (held, mut heard) = mailbox::bounded::<()>(1);
                let mut tasks = Tasks::default();
                tasks.add(spawn(async move {
                    let _held = held;
                    pending().await
                }));
                if let Some(tasks) = end(tasks) {
                    // The last of the three ends here, the second has ended its oldest before.
                    tasks.cancel().await;
                }
                assert_eq!(heard.recv().await, None);
            }
        })
        .unwrap();
    }

    #[test]
    fn tasks_that_are_being_cancelled_end_though_nobody_waits() {
        run(1, async {
            let mut tasks = Tasks::default();
            let mut ends = Vec::new();
            for _ in 0..3 {
                let (held, heard) = mailbox::bounded::<()>(1);
                ends.push(heard);
                tasks.add(spawn(async move {
                    let _held = held;
                    pending().await
                }));
            }
            assert_eq!(poll_once(tasks.cancel()).await, None, "given up half-way");
            for mut end in ends {
                assert_eq!(end.recv().await, None);
            }
        })
        .unwrap();
    }

    #[test]
    fn a_flood_is_not_looked_through_for_each_that_comes() {
        const BOUND: usize = 64;
        run(1, async {
            let mut tasks = Tasks::default();
            let mut looks = 0;
            for _ in 0..1000 {
                tasks.add_within(BOUND, spawn(pending()));
                assert!(tasks.running.len() <= BOUND);
                looks += usize::from(tasks.added == 0);
            }
            assert!(looks <= 1000 / (BOUND / 4), "{looks} looks");
        })
        .unwrap();
    }

    #[test]
    fn those_that_have_ended_make_room_before_the_oldest_goes() {
        run(1, async {
            let mut tasks = Tasks::default();
            let (held, mut heard) = mailbox::bounded::<()>(1);
            let oldest = async move {
                let _held = held;
                pending().await
            };
            tasks.add_within(8, spawn(oldest));
            for _ in 0..100 {
                let task = spawn(async {});
                while !task.is_finished() {
                    yield_now().await;
                }
                tasks.add_within(8, task);
            }
            assert!(poll_once(heard.recv()).await.is_none(), "the oldest runs");
        })
        .unwrap();
    }

    #[test]
    fn tasks_that_have_ended_are_let_go() {
        // A bound that is far away is no reason to keep them.
        let ways: [fn(&mut Tasks, Task<()>); 2] = [Tasks::add, |tasks, task| tasks.add_within(10_000, task)];
        run(1, async {
            for add in ways {
                let mut tasks = Tasks::default();
                for _ in 0..1000 {
                    let task = spawn(async {});
                    while !task.is_finished() {
                        yield_now().await;
                    }
                    add(&mut tasks, task);
                    assert!(tasks.running.len() <= PRUNE_MIN);
                }
            }
        })
        .unwrap();
    }
}
