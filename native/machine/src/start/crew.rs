//! The threads of a guest that was started without Python, and what they have to agree on: who ends the
//! process, who executes another program, and who starts Python.
//!
//! Each thread runs by itself (`run.rs`). The one that needs Python first starts it, in its own host thread, and from
//! then on nobody comes or goes until Python has taken note of all. Nobody is interrupted for that: another thread goes on
//! as it is, and enters Python when it needs it itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Started;
use crate::machine::Machine;
use crate::process::exec::Execve;
use crate::seccomp::Seccomp;
use crate::signal::host;

/// Goes on with a thread in Python. For a thread that is not the first it comes back, when that has ended.
pub type Arrive = dyn Fn(Started) + Send + Sync;

/// See above.
pub struct Crew {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    python: Python,
    /// Those that run.
    tids: BTreeSet<i32>,
    /// The status of the thread that has ended last.
    last_status: i32,
    /// What the first thread does when it is the only one left.
    last: Option<Last>,
}

enum Python {
    Unneeded,
    Starts,
    IsHere(Arc<Arrive>),
}

/// How the process ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Status(i32),
    Signal(i32),
}

/// What is left to do when all other threads have ended.
pub enum Last {
    End(End),
    Execve(Box<Successor>),
}

/// A program that a thread executes, with what that thread leaves to it.
pub struct Successor {
    pub execve: Execve,
    pub machine: Arc<Machine>,
    pub mask: u64,
    pub seccomp: Arc<Seccomp>,
}

/// How a thread comes to Python.
pub enum Asked {
    /// Not at all: all threads are being ended, by one that did not need it.
    IsOver,
    /// It is to start it.
    Starts,
    IsHere(Arc<Arrive>),
}

/// What the first thread has waited for.
pub enum Waited {
    Python,
    /// All others have ended; the status.
    Alone(i32),
    /// The same, and it is among those that run again.
    Last(Last),
}

impl Crew {
    /// With the calling thread only.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                python: Python::Unneeded,
                tids: BTreeSet::from([own_tid()]),
                last_status: 0,
                last: None,
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as this is held, no other thread comes, goes, or starts Python. None: that is started, and decides.
    #[must_use]
    pub fn hold(&self) -> Option<Held<'_>> {
        let state = self.lock();
        match state.python {
            Python::Unneeded => Some(Held { crew: self, state }),
            Python::Starts | Python::IsHere(_) => None,
        }
    }

    /// The calling thread needs Python; waits while another one starts it. `must`: whatever the others do.
    #[must_use]
    pub fn ask(&self, must: bool) -> Asked {
        let mut state = self.lock();
        loop {
            match &state.python {
                Python::Unneeded if state.last.is_some() && !must => return Asked::IsOver,
                Python::Unneeded => {
                    state.python = Python::Starts;
                    return Asked::Starts;
                }
                Python::Starts => state = self.wait(state),
                Python::IsHere(arrive) => return Asked::IsHere(Arc::clone(arrive)),
            }
        }
    }

    /// For Python, which is being started: the threads that run besides the calling one.
    #[must_use]
    pub fn others(&self) -> Vec<i32> {
        let own = own_tid();
        let state = self.lock();
        state
            .tids
            .iter()
            .copied()
            .filter(|&tid| tid != own)
            .collect()
    }

    /// The status of the thread that has ended last.
    #[must_use]
    pub fn last_status(&self) -> i32 {
        self.lock().last_status
    }

    /// Python has taken note of all threads, and takes them from now on.
    pub fn open(&self, arrive: Arc<Arrive>) {
        self.lock().python = Python::IsHere(arrive);
        self.changed.notify_all();
    }

    /// The first thread, which has left, stays until the last one is gone, as a zombie leader does.
    #[must_use]
    pub fn wait_for_others(&self) -> Waited {
        let mut state = self.lock();
        loop {
            if matches!(state.python, Python::IsHere(_)) {
                return Waited::Python;
            }
            let unneeded = matches!(state.python, Python::Unneeded);
            if unneeded && state.tids.is_empty() {
                return match state.last.take() {
                    None => Waited::Alone(state.last_status),
                    Some(last) => {
                        state.tids.insert(own_tid());
                        Waited::Last(last)
                    }
                };
            }
            state = self.wait(state);
        }
    }
}

/// See [`Crew::hold`].
pub struct Held<'a> {
    crew: &'a Crew,
    state: MutexGuard<'a, State>,
}

impl Held<'_> {
    /// Whether the calling thread is the only one.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.state.tids.len() == 1
    }

    /// Whether all threads are being ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.last.is_some()
    }

    /// A thread was made, which takes messages by now.
    pub fn enters(&mut self, tid: i32) {
        self.state.tids.insert(tid);
    }

    /// The calling thread is about to end with this status.
    pub fn exits(&mut self, status: i32) {
        self.state.last_status = status;
    }

    /// The calling thread has ended, and takes no messages any more.
    pub fn leaves(mut self) {
        self.state.tids.remove(&own_tid());
        self.crew.changed.notify_all();
    }

    /// Ends the other threads; then the first one does `last`. The calling thread is to leave.
    pub fn finally(mut self, last: Last) {
        self.state.last = Some(last);
        let own = own_tid();
        for &tid in self.state.tids.iter().filter(|&&tid| tid != own) {
            host::doom(tid);
        }
    }
}

fn own_tid() -> i32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() }
}

/// Whether the calling thread is the first one of its process.
#[must_use]
pub fn is_first() -> bool {
    // SAFETY: getpid touches no memory.
    own_tid() == unsafe { libc::getpid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python would not know of what the first thread is to do.
    #[test]
    fn python_is_not_started_when_all_are_being_ended() {
        let crew = Crew::new();
        assert!(crew.hold().is_some_and(|held| !held.is_over()));
        let held = crew.hold().unwrap();
        held.finally(Last::End(End::Status(3)));
        assert!(matches!(crew.ask(false), Asked::IsOver));
        assert!(crew.hold().is_some_and(|held| held.is_over()));
        crew.hold().unwrap().leaves();
        let waited = crew.wait_for_others();
        assert!(matches!(waited, Waited::Last(Last::End(End::Status(3)))));
        assert!(matches!(crew.ask(false), Asked::Starts));
    }
}
