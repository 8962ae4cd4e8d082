//! A copy of a process that a debugger keeps (`qusr/debug/gdb/checkpoints.py`): it makes the guest's own clone(2), as gdb has programs
//! call fork(), so that whatever belongs to one is done.

use super::block::Mode;
use crate::process::GuestThread;
use crate::thunk::exec::Args;

impl GuestThread {
    /// The call that is to be made next, where a debugger wants a copy of the process: its number and arguments.
    ///
    /// Nobody is sent a signal when the copy ends, and wait(2) does not know it. Where the thread's id is in memory that of the
    /// copy is there, as after the C library's fork().
    pub(in crate::process) fn begin_copy(&mut self) -> Option<(u64, Args)> {
        const TIDS: u64 = libc::CLONE_CHILD_SETTID as u64 | libc::CLONE_CHILD_CLEARTID as u64;
        let tracee = self.tracee.as_mut()?;
        if tracee.mode() != Mode::Copy {
            return None;
        }
        let block = tracee.block();
        let number = block.reply;
        block.mode = Mode::Continue as u32;
        let (regs, linux) = (self.process.regs, self.process.linux);
        let all = 0..regs.count as u32;
        self.before_copy = Some(all.map(|id| self.core.get_wide(id)).collect());
        let tid = self
            .clear_child_tid
            .load(std::sync::atomic::Ordering::SeqCst);
        let flags = if tid == 0 { 0 } else { TIDS };
        let mut args = Args::default();
        args[..6].copy_from_slice(&linux.facts().clone.of_plain([flags, 0, 0, tid, 0]));
        Some((number, args))
    }

    /// Behind the call, in both processes: the registers are as before, and the tracer sees.
    pub(in crate::process) fn end_copy(&mut self) {
        let Some(before) = self.before_copy.take() else {
            return;
        };
        let regs = self.process.regs;
        let result = self.core.get(regs.results[0]);
        let first = |id: &u32| regs.leading.contains(id);
        let all = (0..regs.count as u32).filter(|id| *id != regs.pc && !first(id));
        for id in regs.leading.iter().copied().chain(all).chain([regs.pc]) {
            self.core.set_wide(id, before[id as usize]);
        }
        if let Some(tracee) = &mut self.tracee {
            tracee.copied = Some(result);
        }
    }
}
