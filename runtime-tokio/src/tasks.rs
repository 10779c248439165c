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
}

impl Tasks {
    /// Takes a task in. Those that have ended are let go each time the number has doubled.
    pub(crate) fn add(&mut self, task: Task<()>) {
        if self.running.len() >= self.prune_at {
            self.running.retain(|task| !task.is_finished());
            self.prune_at = (self.running.len() * 2).max(PRUNE_MIN);
        }
        self.running.push_back(task);
    }

    /// Takes a task in; if that makes more than `bound`, ends the oldest.
    pub(crate) fn add_within(&mut self, bound: usize, task: Task<()>) {
        self.running.push_back(task);
        if self.running.len() > bound {
            self.running.retain(|task| !task.is_finished());
        }
        if self.running.len() > bound
            && let Some(oldest) = self.running.pop_front()
        {
            oldest.abort();
        }
    }

    /// Ends all, and waits until what they held is dropped.
    pub(crate) async fn cancel(mut self) {
        for task in std::mem::take(&mut self.running) {
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

    use futures_lite::future::yield_now;
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
    fn tasks_that_have_ended_are_let_go() {
        run(1, async {
            let mut tasks = Tasks::default();
            for _ in 0..1000 {
                let task = spawn(async {});
                while !task.is_finished() {
                    yield_now().await;
                }
                tasks.add(task);
                assert!(tasks.running.len() <= PRUNE_MIN);
            }
        })
        .unwrap();
    }
}
