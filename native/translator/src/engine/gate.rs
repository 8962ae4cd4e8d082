//! Keeping threads out of the translator while one of them forks.
//!
//! A forked child has only the thread that forked. What the others held (the cache's
//! lock, the allocator's) would stay locked for ever, so a fork waits until no thread is
//! between leaving and entering translated code. Threads within translated code or
//! in a system call hold nothing.

use crate::cpu::Lock;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static GATE: RwLock<()> = RwLock::new(());
/// Under `native,check` one thread at a time executes guest code: what another one stores meanwhile would look
/// like a difference. Taken before the gate.
static CHECKED: Mutex<()> = Mutex::new(());

/// For [`crate::cpu::CpuCore::locks`].
pub(super) fn locks() -> Vec<Lock> {
    vec![
        Lock::of("the translator, which a fork closes", &GATE),
        Lock::of("checked execution", &CHECKED),
    ]
}

/// Held by a thread while it executes and compares a block.
pub(super) fn checked() -> MutexGuard<'static, ()> {
    CHECKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Held by a thread while it translates, links or invalidates. Not to be nested.
pub(super) fn inside() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps all threads out of the translator for as long as it is held: across a fork, to be dropped on both sides.
pub fn stop_for_fork() -> (RwLockWriteGuard<'static, ()>, MutexGuard<'static, ()>) {
    let checked = checked();
    let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    (gate, checked)
}
