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
