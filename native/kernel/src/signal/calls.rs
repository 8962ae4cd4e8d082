//! The signal system calls. Masks and queues are the host kernel's; actions, alternate
//! stacks and frames are kept here.

use super::frame::stack_fields;
use super::{
    Action, AltStack, NSIG, SS_AUTODISARM, ThreadSignals, UNBLOCKABLE, bit, deferred, host, siginfo,
};
use crate::cpu::CpuCore;
use crate::linux::ActionField;
use crate::memory::AddressSpace;
use crate::thunk::convert::{get_int, put_int};
use crate::thunk::host::{ERESTARTSYS, safe_syscall};

type Result<T> = std::result::Result<T, i32>;

/// Bytes of the signals that the host has, and so those of all guests' sets that count.
const COUNTED: usize = 8;

fn checked_signal(signal: i32) -> Result<usize> {
    if (1..=NSIG as i32).contains(&signal) {
        Ok(signal as usize - 1)
    } else {
        Err(libc::EINVAL)
    }
}

impl ThreadSignals {
    fn get(&self, space: &AddressSpace, at: u64, size: usize) -> Result<u64> {
        let mut bytes = [0; 8];
        space
            .read(at, &mut bytes[..size])
            .map_err(|_| libc::EFAULT)?;
        Ok(get_int(&bytes[..size], self.abi.big_endian, false))
    }

    fn put(&self, space: &AddressSpace, at: u64, size: usize, value: u64) -> Result<()> {
        let mut bytes = [0; 8];
        put_int(&mut bytes[..size], self.abi.big_endian, value);
        space.write(at, &bytes[..size]).map_err(|_| libc::EFAULT)
    }

    /// What callers have to say of their sets.
    fn sigset_size(&self) -> u64 {
        self.linux.facts().sigset_size as u64
    }

    fn get_set(&self, space: &AddressSpace, at: u64) -> Result<u64> {
        self.get_set_at(space, at, at + 4)
    }

    /// With the second of two words at `rest`.
    fn get_set_at(&self, space: &AddressSpace, at: u64, rest: u64) -> Result<u64> {
        let set = if self.abi.word_bits == 64 {
            self.get(space, at, 8)?
        } else {
            self.get(space, at, 4)? | self.get(space, rest, 4)? << 32
        };
        Ok(self.abi.mask_to_host(set))
    }

    fn put_set(&self, space: &AddressSpace, at: u64, set: u64) -> Result<()> {
        let set = self.abi.mask_to_guest(set);
        if self.abi.word_bits == 64 {
            self.put(space, at, 8, set)?;
        } else {
            self.put(space, at, 4, set & 0xffff_ffff)?;
            self.put(space, at + 4, 4, set >> 32)?;
        }
        for more in (COUNTED..self.linux.facts().sigset_size).step_by(8) {
            self.put(space, at + more as u64, 8, 0)?;
        }
        Ok(())
    }

    /// struct sigaction.
    fn get_action(&self, space: &AddressSpace, at: u64) -> Result<Action> {
        let word = self.abi.word_bytes();
        let layout = self.linux.facts().action;
        let place = |field| layout.place(field).map(|place| at + place * word as u64);
        let get = |field| place(field).map_or(Ok(0), |at| self.get(space, at, word));
        let flags = match place(ActionField::IntFlags) {
            Some(at) => self.get(space, at, 4)?,
            None => get(ActionField::Flags)?,
        };
        Ok(Action {
            handler: get(ActionField::Handler)?,
            flags: self.abi.action_flags_to_host(flags),
            restorer: get(ActionField::Restorer)?,
            mask: place(ActionField::Mask).map_or(Ok(0), |at| self.get_set(space, at))?,
        })
    }

    fn put_action(&self, space: &AddressSpace, at: u64, action: &Action) -> Result<()> {
        let word = self.abi.word_bytes();
        let flags = self.abi.action_flags_to_guest(action.flags);
        for (place, field) in self.linux.facts().action.0.iter().enumerate() {
            let at = at + (place * word) as u64;
            match field {
                ActionField::Handler => self.put(space, at, word, action.handler)?,
                ActionField::Flags => self.put(space, at, word, flags)?,
                ActionField::IntFlags => self.put(space, at, 4, flags)?,
                ActionField::Restorer => self.put(space, at, word, action.restorer)?,
                ActionField::Mask => self.put_set(space, at, action.mask)?,
            }
        }
        Ok(())
    }

    /// Whether the old sigaction(2) has a layout of its own.
    fn has_old_layout(&self) -> bool {
        let layout = self.linux.facts().action;
        layout.place(ActionField::IntFlags).is_none()
    }

    /// Of signals 65 to 128, where there are so many (_NSIG of arch/mips/include/uapi/asm/signal.h): Go asks for all
    /// actions at its start.
    fn index_beyond(&self, signal: i32) -> Option<usize> {
        let index = usize::try_from(signal).ok()?.checked_sub(NSIG + 1)?;
        (NSIG + 1 + index <= 8 * self.sigset_size() as usize).then_some(index)
    }

    /// rt_sigaction(2); `old` is the form of the old sigaction(2) of 32-bit guests,
    /// whose mask is one word and stands second.
    pub fn sigaction(&mut self, space: &AddressSpace, args: &[u64], old_form: bool) -> Result<u64> {
        let signal = args[0] as i32;
        let beyond = self.index_beyond(signal);
        let index = beyond.map_or_else(|| checked_signal(signal), Ok)?;
        if !old_form && args[3] != self.sigset_size() {
            return Err(libc::EINVAL);
        }
        let word = self.abi.word_bytes();
        let step = word as u64;
        let (new_at, old_at) = (args[1], args[2]);
        let new = if new_at == 0 {
            None
        } else if old_form && !self.has_old_layout() {
            Some(Action {
                // One word of the mask counts (arch/mips/kernel/signal.c).
                mask: self
                    .abi
                    .mask_to_host(self.get(space, new_at + 2 * step, word)?),
                ..self.get_action(space, new_at)?
            })
        } else if old_form {
            Some(Action {
                handler: self.get(space, new_at, word)?,
                mask: self.get(space, new_at + step, word)?,
                flags: self.get(space, new_at + 2 * step, word)?,
                restorer: self.get(space, new_at + 3 * step, word)?,
            })
        } else {
            Some(self.get_action(space, new_at)?)
        };
        if new.is_some() && beyond.is_none() && bit(signal) & UNBLOCKABLE != 0 {
            return Err(libc::EINVAL);
        }
        let exchange = |table: &mut [Action; NSIG]| {
            let before = table[index];
            if let Some(mut action) = new {
                action.mask &= !UNBLOCKABLE;
                table[index] = action;
                host::install(&self.actions.known, signal, &action);
            }
            before
        };
        let before = match beyond {
            Some(index) => self.actions.exchange_beyond(index, new),
            None => self.actions.with(exchange),
        };
        if old_at != 0 {
            if old_form && self.has_old_layout() {
                self.put(space, old_at, word, before.handler)?;
                self.put(space, old_at + step, word, before.mask)?;
                self.put(space, old_at + 2 * step, word, before.flags)?;
                self.put(space, old_at + 3 * step, word, before.restorer)?;
            } else {
                self.put_action(space, old_at, &before)?;
            }
        }
        Ok(0)
    }

    /// rt_sigprocmask(2); `word_only` is the old sigprocmask(2), which sees as many signals as a word has bits.
    /// None, if `again`: a signal was there before, make the call again after its handler.
    pub fn sigprocmask(
        &mut self,
        space: &AddressSpace,
        args: &[u64],
        word_only: bool,
        again: bool,
    ) -> Option<Result<u64>> {
        let blocked = match self.new_mask(space, args, word_only) {
            Ok(blocked) => blocked,
            Err(errno) => return Some(Err(errno)),
        };
        let before = self.blocked;
        if let Some(blocked) = blocked {
            if !again {
                host::set_mask(blocked);
            } else if !host::try_mask(&self.mailbox, blocked) {
                return None;
            }
            self.blocked = blocked;
        }
        if args[2] == 0 {
            return Some(Ok(0));
        }
        let put = if word_only {
            let word = self.abi.word_bytes();
            let before = self.abi.mask_to_guest(before);
            self.put(space, args[2], word, before & self.named())
        } else {
            self.put_set(space, args[2], before)
        };
        Some(put.map(|()| 0))
    }

    /// The signals that the old calls see: an `old_sigset_t` is a word.
    fn named(&self) -> u64 {
        u64::MAX >> (64 - u32::from(self.abi.word_bits))
    }

    /// The mask that sigprocmask makes, if it makes one.
    fn new_mask(&self, space: &AddressSpace, args: &[u64], word_only: bool) -> Result<Option<u64>> {
        if !word_only && args[3] != self.sigset_size() {
            return Err(libc::EINVAL);
        }
        if args[1] == 0 {
            return Ok(None);
        }
        let before = self.blocked;
        let set = if word_only {
            let set = self.get(space, args[1], self.abi.word_bytes())?;
            self.abi.mask_to_host(set)
        } else {
            self.get_set(space, args[1])?
        };
        let set = set & !UNBLOCKABLE;
        // The old call leaves the signals that it cannot name alone.
        let kept = if word_only { before & !self.named() } else { 0 };
        match args[0] as i32 {
            libc::SIG_BLOCK => Ok(Some(before | set)),
            libc::SIG_UNBLOCK => Ok(Some(before & !set)),
            libc::SIG_SETMASK => Ok(Some(set | kept)),
            _ => Err(libc::EINVAL),
        }
    }

    /// rt_sigpending(2), or sigpending(2) with `word_only`.
    pub fn sigpending(
        &mut self,
        space: &AddressSpace,
        args: &[u64],
        word_only: bool,
    ) -> Result<u64> {
        if !word_only && args[1] > self.sigset_size() {
            return Err(libc::EINVAL);
        }
        let set = self.pending() & self.blocked;
        if word_only {
            let set = self.abi.mask_to_guest(set) & self.named();
            self.put(space, args[0], self.abi.word_bytes(), set)?;
        } else {
            self.put_set(space, args[0], set)?;
        }
        Ok(0)
    }

    /// The signals that wait for this thread or the process.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let mut set = 0u64;
        // SAFETY: the kernel writes 8 bytes.
        unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, 8usize) };
        set | deferred::pending()
    }

    /// A signal ended a call that had a mask of its own: the handler runs with that in force,
    /// and its frame restores the thread's.
    pub fn wait_with(&mut self, mask: u64) {
        self.saved = Some(self.blocked);
        self.blocked = mask & !UNBLOCKABLE;
    }

    /// rt_sigsuspend(2): its result is EINTR whenever it returns. `mask`: the argument of the old sigsuspend(2)
    /// that is the mask, or, where sigaction(2) has no layout of its own (MIPS), points to a whole one as
    /// rt_sigsuspend's first does. None: a signal was there before, make the call again after its handler.
    pub fn sigsuspend(
        &mut self,
        space: &AddressSpace,
        args: &[u64],
        mask: Option<u64>,
    ) -> Option<Result<u64>> {
        let set = if let Some(mask) = mask
            && self.has_old_layout()
        {
            self.abi.mask_to_host(mask & self.named())
        } else if mask.is_some() || args[1] == self.sigset_size() {
            match self.get_set(space, args[0]) {
                Ok(set) => set,
                Err(errno) => return Some(Err(errno)),
            }
        } else {
            return Some(Err(libc::EINVAL));
        };
        let set = set & !UNBLOCKABLE;
        let host_set = set & !host::own();
        let call = [&raw const host_set as u64, 8, 0, 0, 0, 0];
        // From here on the signals that are put aside are those that come through this mask.
        let before = deferred::set_blocked(set);
        let result = if deferred::due(set) == 0 {
            // SAFETY: the kernel reads 8 bytes of mask.
            unsafe { safe_syscall(&self.mailbox.pending, libc::SYS_rt_sigsuspend as u16, &call) }
        } else {
            self.mailbox.note_due(set);
            -i64::from(libc::EINTR)
        };
        let heard = result != -ERESTARTSYS && self.mailbox.waits() || deferred::due(set) != 0;
        if heard || self.mailbox.bell() {
            // A tracer sees the signals that the call lets through.
            self.wait_with(set);
            return heard.then_some(Err(libc::EINTR));
        }
        // A signal with a handler came before the call, or none that has one.
        deferred::set_blocked(before);
        self.mailbox.note_due(before);
        None
    }

    /// rt_sigtimedwait(2); `time_size` is the size of the guest's timespec fields.
    /// None: a signal with a handler waits, make the call again after it.
    pub fn sigtimedwait(
        &mut self,
        space: &AddressSpace,
        args: &[u64],
        time_size: usize,
    ) -> Option<Result<u64>> {
        match self.try_sigtimedwait(space, args, time_size) {
            Ok(result) if result == -ERESTARTSYS => None,
            Ok(result) if result < 0 => Some(Err(-result as i32)),
            Ok(result) => Some(Ok(self.abi.signal_to_guest(result as i32) as u64)),
            Err(errno) => Some(Err(errno)),
        }
    }

    fn try_sigtimedwait(
        &mut self,
        space: &AddressSpace,
        args: &[u64],
        time_size: usize,
    ) -> Result<i64> {
        if args[3] != self.sigset_size() {
            return Err(libc::EINVAL);
        }
        let set = self.get_set(space, args[0])?;
        let mut time = [0u64; 2];
        if args[2] != 0 {
            let signed = |value: u64| {
                if time_size == 4 {
                    value as u32 as i32 as u64
                } else {
                    value
                }
            };
            time[0] = signed(self.get(space, args[2], time_size)?);
            time[1] = signed(self.get(space, args[2] + time_size as u64, time_size)?);
        }
        // SAFETY: siginfo_t is plain data.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let timeout = if args[2] == 0 {
            0
        } else {
            time.as_ptr() as u64
        };
        let result = self.wait_for(set, timeout, &mut info);
        if result > 0 && args[1] != 0 {
            host::unwrap_sent(&mut info);
            let bytes = siginfo::to_guest(&info, self.abi);
            space.write(args[1], &bytes).map_err(|_| libc::EFAULT)?;
        }
        Ok(result)
    }

    /// Waits on the host for a signal of `set`: its number, -errno or -[`ERESTARTSYS`].
    fn wait_for(&self, set: u64, timeout: u64, info: &mut libc::siginfo_t) -> i64 {
        // The host would take the emulator's own messages for what is waited for.
        let host_set = set & !host::own();
        let call = [
            &raw const host_set as u64,
            std::ptr::from_mut(info) as u64,
            timeout,
            8,
            0,
            0,
        ];
        // What the call waits for and is put aside instead interrupts it.
        deferred::set_awaited(set);
        let before = deferred::set_blocked(self.blocked & !set);
        self.mailbox.note_due(self.blocked & !set);
        let mut result = -ERESTARTSYS;
        if deferred::due(!set) == 0 {
            // SAFETY: the pointers are to locals of the sizes that the kernel expects.
            result = unsafe {
                safe_syscall(
                    &self.mailbox.pending,
                    libc::SYS_rt_sigtimedwait as u16,
                    &call,
                )
            };
        }
        deferred::set_awaited(0);
        let interrupted = [-ERESTARTSYS, -i64::from(libc::EINTR)].contains(&result);
        let aside = interrupted.then(|| deferred::take(set)).flatten();
        deferred::set_blocked(before);
        self.mailbox.note_due(before);
        if let Some((signal, aside)) = aside {
            *info = aside;
            return signal.into();
        }
        if result == -i64::from(libc::EINTR) && !self.mailbox.waits() {
            // By a signal that was put aside and is not waited for.
            return -ERESTARTSYS;
        }
        result
    }

    /// sigaltstack(2), `sp` being the guest's stack pointer.
    pub fn sigaltstack(&mut self, space: &AddressSpace, args: &[u64], sp: u64) -> Result<u64> {
        let word = self.abi.word_bytes();
        let fields = stack_fields(self.linux.facts().stack_flags_last);
        let [flags_at, size_at] = fields.map(|place| (place * word) as u64);
        let before = self.altstack;
        let on_stack = before.contains(sp);
        if args[0] != 0 {
            let stack = AltStack {
                sp: self.get(space, args[0], word)?,
                flags: self.get(space, args[0] + flags_at, 4)? as i32,
                size: self.get(space, args[0] + size_at, word)?,
            };
            if on_stack {
                return Err(libc::EPERM);
            }
            self.set_altstack(stack)?;
        }
        if args[1] != 0 {
            let disabled = before.flags & libc::SS_DISABLE != 0;
            let flags = if disabled {
                libc::SS_DISABLE
            } else {
                before.flags & SS_AUTODISARM | if on_stack { libc::SS_ONSTACK } else { 0 }
            };
            self.put(space, args[1], word, before.sp)?;
            self.put(space, args[1] + flags_at, 4, flags as u64)?;
            self.put(space, args[1] + size_at, word, before.size)?;
        }
        Ok(0)
    }

    fn set_altstack(&mut self, stack: AltStack) -> Result<()> {
        let mode = stack.flags & !SS_AUTODISARM;
        if ![0, libc::SS_ONSTACK, libc::SS_DISABLE].contains(&mode) {
            return Err(libc::EINVAL);
        }
        let least = self.linux.facts().min_signal_stack;
        self.altstack = if mode == libc::SS_DISABLE {
            AltStack::default()
        } else if stack.size < least {
            return Err(libc::ENOMEM);
        } else {
            AltStack {
                flags: stack.flags & SS_AUTODISARM,
                ..stack
            }
        };
        Ok(())
    }

    /// rt_sigreturn(2) or sigreturn(2): Err when the frame is bad (SIGSEGV). None, if `again`: a signal
    /// came through the handler's mask, make the call again after its handler.
    pub fn sigreturn(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
        again: bool,
    ) -> Option<Result<()>> {
        let sp = core.get(self.linux.facts().registers.sp);
        let at = sp.wrapping_add(self.linux.frame_mask(rt));
        let rest = self.linux.frame_mask_rest(rt);
        let Ok(mask) =
            self.get_set_at(space, at, rest.map_or(at + 4, |rest| sp.wrapping_add(rest)))
        else {
            return Some(Err(libc::EFAULT));
        };
        let mask = mask & !UNBLOCKABLE;
        if again && !host::try_mask(&self.mailbox, mask) {
            return None;
        }
        let before = std::mem::replace(&mut self.blocked, mask);
        match self.linux.pop_frame(core, space, rt) {
            Ok(restored) => {
                if let Some(stack) = restored.altstack {
                    // An invalid stack is ignored (restore_altstack).
                    let _ = self.set_altstack(stack);
                }
            }
            Err(_) => {
                self.blocked = before;
                host::set_mask(before);
                return Some(Err(libc::EFAULT));
            }
        }
        if !again {
            host::set_mask(mask);
        }
        Some(Ok(()))
    }

    /// swapcontext(2): keeps this context in the first of `contexts` and goes on in the second one; 0 is none.
    /// `again`: as for [`ThreadSignals::sigreturn`].
    pub fn swap_context(
        &mut self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        (old, new): (u64, u64),
        size: u64,
        again: bool,
    ) -> Swap {
        let Some(contexts) = self.linux.contexts() else {
            return Swap::Stayed(Err(libc::ENOSYS));
        };
        if size < contexts.size() {
            return Swap::Stayed(Err(libc::EINVAL));
        }
        if old != 0 {
            let kept = contexts.put(core, space, old).map_err(|_| libc::EFAULT);
            let kept = kept.and_then(|()| self.put_set(space, old + contexts.mask(), self.blocked));
            if kept.is_err() {
                return Swap::Stayed(kept);
            }
        }
        if new == 0 {
            return Swap::Stayed(Ok(()));
        }
        let mask = match self.get_set(space, new + contexts.mask()) {
            Ok(mask) => mask & !UNBLOCKABLE,
            Err(errno) => return Swap::Stayed(Err(errno)),
        };
        if again && !host::try_mask(&self.mailbox, mask) {
            return Swap::Again;
        }
        let before = std::mem::replace(&mut self.blocked, mask);
        if contexts.get(core, space, new).is_err() {
            self.blocked = before;
            host::set_mask(before);
            return Swap::Stayed(Err(libc::EFAULT));
        }
        if !again {
            host::set_mask(mask);
        }
        Swap::Went
    }
}

/// What became of a swapcontext(2).
pub enum Swap {
    /// The thread is where it was, and gets this result.
    Stayed(Result<()>),
    /// It is in the other context.
    Went,
    /// A signal came through the other context's mask: the call is to be made again after its handler.
    Again,
}
