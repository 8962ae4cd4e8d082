//! Guest threads take turns.
//!
//! Two Unicorn engines over one memory are not atomic against each other: their
//! exclusives and atomics are plain loads and stores. So only one engine of a process
//! runs at a time, and changes over between blocks. System calls, which may block, are made
//! without the turn. [`super::family`] does the same for forked processes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::family::{self, FamilyTurn};
use super::interrupt::Stop;
use crate::cpu::Lock;

/// How long a thread runs when others want to.
const SLICE: Duration = Duration::from_millis(2);

struct Queue {
    /// The ticket that the next to ask will get, and the one whose turn it is. Equal: nobody's.
    next: u64,
    serving: u64,
    /// Who has the turn.
    holder: Option<Arc<Stop>>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    next: 0,
    serving: 0,
    holder: None,
});
static CHANGED: Condvar = Condvar::new();

/// For [`crate::cpu::CpuCore::locks`].
pub fn locks() -> Vec<Lock> {
    let turns = "the turns of guest threads";
    let mut locks = vec![Lock::of(turns, &QUEUE), Lock::of(turns, &CHANGED)];
    locks.extend(family::lock().map(|lock| Lock::of("the turns of processes", lock.place())));
    locks
}

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to run an engine, until it is dropped.
pub struct Turn {
    family: Option<FamilyTurn>,
}

impl Turn {
    /// Waits for the turn, first come, first served. Whoever has it is asked to give it up
    /// after a [`SLICE`]. `shares_memory`: with other processes.
    pub fn take(me: Option<&Arc<Stop>>, shares_memory: bool) -> Self {
        let mut queue = queue();
        let ticket = queue.next;
        queue.next += 1;
        while queue.serving != ticket {
            let (again, timeout) = CHANGED
                .wait_timeout(queue, SLICE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = again;
            if timeout.timed_out()
                && let Some(holder) = &queue.holder
            {
                holder.ask_for_turn();
            }
        }
        queue.holder = me.cloned();
        drop(queue);
        let family = if shares_memory {
            FamilyTurn::take()
        } else {
            None
        };
        Self { family }
    }

    /// Whether another process is to have its turn.
    pub fn is_over(&self) -> bool {
        self.family.as_ref().is_some_and(FamilyTurn::is_over)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.family = None;
        let mut queue = queue();
        queue.holder = None;
        queue.serving += 1;
        let waiting = queue.next > queue.serving;
        drop(queue);
        if waiting {
            CHANGED.notify_all();
        }
    }
}

/// Stops all guest threads of the process between instructions (or leaves them in their system
/// calls) for as long as it is held. The thread that forks holds it across the fork, so that
/// the child does not find the turn taken by a thread that it does not have.
pub struct AllStopped {
    queue: Option<MutexGuard<'static, Queue>>,
    turn: Option<Turn>,
}

impl AllStopped {
    #[must_use]
    pub fn new() -> Self {
        let turn = Turn::take(None, false);
        family::found();
        Self {
            queue: Some(queue()),
            turn: Some(turn),
        }
    }

    /// In the forked child: those who waited do not exist here.
    pub fn after_fork_in_child(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.next = queue.serving + 1;
        }
        family::join();
    }
}

impl Default for AllStopped {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for AllStopped {
    fn drop(&mut self) {
        // In this order: the turn takes the queue's lock to give itself up.
        self.queue = None;
        self.turn = None;
    }
}
