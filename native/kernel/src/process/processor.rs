//! Calls about the guest's processor: what its ABI answers, and prctl(2)'s options of some.

use super::thread::GuestThread;
use crate::linux::OwnCall;
use crate::memory::tags::take_tags;

/// The one bit of PR_SET_TAGGED_ADDR_CTRL that needs no memory tagging (linux/prctl.h).
const PR_TAGGED_ADDR_ENABLE: u64 = 1;

impl GuestThread {
    /// Whether the guest's processor ignores the top byte of addresses.
    pub(super) fn has_tags(&self) -> bool {
        self.process.linux.facts().tagged_addresses
    }

    pub(super) fn own_call(&mut self, call: OwnCall, args: &[u64]) -> Result<u64, i32> {
        let process = &self.process;
        let core = self.core.as_mut();
        process.linux.own_call(call, args, core, &process.space)
    }

    /// prctl(2) of some processors: the others do not know the option.
    pub(super) fn prctl(&mut self, call: OwnCall, args: &[u64]) -> Result<u64, i32> {
        let result = self.own_call(call, &args[1..]);
        self.kept = self.process.linux.kept(self.core.as_mut());
        match result {
            Err(libc::ENOSYS) => Err(libc::EINVAL),
            result => result,
        }
    }

    /// set_tagged_addr_ctrl of arch/arm64/kernel/process.c.
    pub(super) fn set_tagged_addr(&mut self, args: &[u64]) -> Result<(), i32> {
        let (flags, rest) = args.split_first().ok_or(libc::EINVAL)?;
        if !self.has_tags() || rest.iter().any(|&n| n != 0) {
            return Err(libc::EINVAL);
        }
        match self.own_call(OwnCall::SetTagChecks, &[flags & !PR_TAGGED_ADDR_ENABLE]) {
            Ok(checks) => self.caller.checks_tags = checks != 0,
            // A processor without memory tagging.
            Err(libc::ENOSYS) if flags & !PR_TAGGED_ADDR_ENABLE == 0 => {}
            Err(_) => return Err(libc::EINVAL),
        }
        self.takes_tags = flags & PR_TAGGED_ADDR_ENABLE != 0;
        take_tags(self.takes_tags);
        Ok(())
    }

    /// get_tagged_addr_ctrl.
    pub(super) fn tagged_addr(&mut self, rest: &[u64]) -> Result<u64, i32> {
        if !self.has_tags() || rest.iter().any(|&n| n != 0) {
            return Err(libc::EINVAL);
        }
        let checks = self.own_call(OwnCall::GetTagChecks, &[]).unwrap_or(0);
        let takes = if self.takes_tags {
            PR_TAGGED_ADDR_ENABLE
        } else {
            0
        };
        Ok(checks | takes)
    }
}
