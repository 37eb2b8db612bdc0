//! The queues of locks as the contract describes them.

use std::collections::{BTreeMap, VecDeque};

/// A task that wants a lock: its number is the label of its place.
pub(crate) type Task = u64;

/// Who holds which lock and who waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks {
    queues: BTreeMap<String, Queue>,
}

/// The queue of one lock: that of the store, in which each client has one place at most, and behind each place those
/// of its client who wait for it.
#[derive(Clone, Debug, Default)]
struct Queue {
    clients: VecDeque<usize>,
    tasks: [VecDeque<Task>; 2],
}

impl Locks {
    /// A task of a client comes into the queue.
    pub(super) fn ask(&mut self, client: usize, name: &str, task: Task) {
        let queue = self.queues.entry(name.to_owned()).or_default();
        queue.tasks[client].push_back(task);
        queue.come(client);
    }

    /// A task has given up, or has released the lock.
    pub(super) fn leave(&mut self, client: usize, name: &str, task: Task) {
        let Some(queue) = self.queues.get_mut(name) else { return };
        if queue.tasks[client].front() == Some(&task) {
            queue.go(client);
        } else {
            queue.tasks[client].retain(|other| *other != task);
        }
    }

    /// Somebody breaks a lock: whose it was.
    pub(super) fn break_lock(&mut self, name: &str) -> Option<Task> {
        let queue = self.queues.get_mut(name)?;
        let client = *queue.clients.front()?;
        queue.go(client)
    }

    /// The session of a client ends: who held a lock has lost it, and is answered; who waited begins anew, at the end.
    pub(super) fn lose_session(&mut self, client: usize) -> Vec<Task> {
        let mut lost = Vec::new();
        for queue in self.queues.values_mut() {
            if queue.clients.front() == Some(&client) {
                lost.extend(queue.go(client));
            } else if queue.clients.contains(&client) {
                queue.clients.retain(|other| *other != client);
                queue.come(client);
            }
        }
        lost
    }

    /// A client is closed: nobody of it holds or waits for anything any more.
    pub(super) fn close(&mut self, client: usize) {
        for queue in self.queues.values_mut() {
            queue.tasks[client].clear();
            queue.clients.retain(|other| *other != client);
        }
    }

    /// Who holds a lock.
    pub(super) fn holder(&self, name: &str) -> Option<Task> {
        self.places(name).first().copied()
    }

    /// Whose places are in the store's queue, in order.
    pub(super) fn places(&self, name: &str) -> Vec<Task> {
        let Some(queue) = self.queues.get(name) else { return Vec::new() };
        queue.clients.iter().filter_map(|client| queue.tasks[*client].front()).copied().collect()
    }

    /// The names of locks that somebody wants.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.queues.iter().filter(|(_, queue)| !queue.clients.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Takes the store's queues over after something that is not predicted: `owner` says whose task has a label.
    /// Tasks without a place wait for one, in the order in which they did.
    pub(super) fn adopt(
        &mut self,
        queues: &BTreeMap<String, Vec<Task>>,
        owner: impl Fn(Task) -> Option<usize>,
        is_alive: impl Fn(Task) -> bool,
    ) -> Result<(), String> {
        for (name, queue) in &mut self.queues {
            queue.clients.clear();
            for tasks in &mut queue.tasks {
                tasks.retain(|task| is_alive(*task));
            }
            for task in queues.get(name).into_iter().flatten() {
                let client =
                    owner(*task).ok_or_else(|| format!("nobody knows the place {task} of {name:?}"))?;
                if queue.clients.contains(&client) {
                    return Err(format!("client {client} has two places for {name:?}"));
                }
                queue.clients.push_back(client);
                queue.tasks[client].retain(|other| other != task);
                queue.tasks[client].push_front(*task);
            }
        }
        Ok(())
    }
}

impl Queue {
    /// Takes a place for the first task of a client that has none.
    fn come(&mut self, client: usize) {
        if !self.tasks[client].is_empty() && !self.clients.contains(&client) {
            self.clients.push_back(client);
        }
    }

    /// The first task of a client goes, and with it the place; the next one comes.
    fn go(&mut self, client: usize) -> Option<Task> {
        self.clients.retain(|other| *other != client);
        let task = self.tasks[client].pop_front();
        self.come(client);
        task
    }
}
