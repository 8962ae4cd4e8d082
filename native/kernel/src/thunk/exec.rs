//! Executing a call: arguments in ([`super::prepare`]), host call, results back
//! ([`super::writeback`]).

use std::cell::Cell;
use std::ffi::CString;
use std::io::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::convert::{Conversion, get_int, host_pointer};
use super::direct::{self, Later};
use super::map_files;
use super::msg::MessageBuffers;
use super::path::Sysroot;
use super::pin::Pinned;
use super::procfs::Facts;
use super::review::Marks;
use super::robust;
use super::scratch::Scratch;
use super::table::{
    Builtin, FlagMap, HostArg, Length, MAX_OPS, MAX_SLOTS, Node, Op, Ret, Source, Table,
};
use super::waitmask;
use super::writeback::{self, Post};
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;
use crate::process::kill;
use crate::seccomp::Verdict;
use crate::signal::host::BELL;

/// The guest's argument registers, zero-extended.
pub type Args = [u64; MAX_SLOTS];

/// Scalar arguments in signature order, for handlers; pointers are guest addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scalars {
    pub values: [u64; MAX_OPS],
    pub count: usize,
    /// Bit n: value n is signed.
    pub signed: u8,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: the result, or -errno.
    Done(i64),
    /// Not made because a signal waits: see [`super::host::ERESTARTSYS`].
    Restart,
    /// Python decides: the handler's name and its arguments.
    Python(Arc<str>, Scalars),
    /// Done by the caller, in Rust.
    Builtin(Builtin, Scalars),
    /// The call was made; its result must be looked at by Python, because it may
    /// concern a file of /proc that tells of the emulator instead of the guest.
    Review(Review, i64),
    /// Not implemented.
    Enosys,
    /// Not made before Python has imported what it may need later.
    Preload,
    /// The guest's seccomp filter says no.
    Refused(Verdict),
}

/// Why a result is reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// A descriptor on procfs, or of the emulator's executable, was opened.
    ProcFd,
    /// A symbolic link names the emulator's executable.
    ExeLink,
    /// A stat names the emulator's executable.
    ExeStat,
    /// A call on what stands for /proc/self/mem; it was not made.
    MemoryFile,
    /// A wait for children or a call on another's memory, in a process that may trace them. With
    /// the result -1 it was not made.
    Tracer,
}

/// What identifies the emulator's own executable.
#[derive(Clone, Debug, Default)]
pub struct OwnExe {
    pub path: Vec<u8>,
    pub dev: u64,
    pub ino: u64,
}

/// What a call needs to know of its process.
pub struct Env<'a> {
    pub table: &'a Table,
    pub space: &'a AddressSpace,
    pub sysroot: Option<&'a Sysroot>,
    pub own_exe: &'a OwnExe,
    pub marks: &'a Marks,
    pub facts: &'a RwLock<Arc<Facts>>,
    /// Non-zero while a signal waits for the calling thread.
    pub pending: &'a AtomicU32,
    /// The mask of a call that a signal ended and that had one for its duration.
    pub wait_mask: &'a Cell<Option<u64>>,
}

/// The kernel refuses more vectors than this (UIO_MAXIOV).
pub const UIO_MAXIOV: usize = 1024;

impl Env<'_> {
    pub(super) fn facts(&self) -> Arc<Facts> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&facts)
    }

    /// Makes the call `node` with the guest's `args`.
    pub fn call(&self, node: &Node, args: &Args, scratch: &mut Scratch) -> Outcome {
        match node {
            Node::Native {
                host,
                ops,
                args: order,
                ret,
            } => {
                scratch.reset();
                let message_records = std::ptr::null_mut();
                Call {
                    env: self,
                    args,
                    scratch,
                    abi: self.table.abi,
                    message_records,
                    can_wait: direct::can_wait(*host),
                    later: None,
                    pins: Vec::new(),
                }
                .native(*host, ops, order, *ret)
            }
            Node::Python { handler, file, ops } => match file {
                Some(slot) if self.is_missing(args[usize::from(*slot)]) => {
                    Outcome::Done(-i64::from(libc::ENOENT))
                }
                _ => Outcome::Python(handler.clone(), self.scalars(ops, args)),
            },
            Node::Builtin { id, ops } => Outcome::Builtin(*id, self.scalars(ops, args)),
            Node::Enosys => Outcome::Enosys,
            Node::Switch {
                slot,
                mask,
                cases,
                default,
            } => {
                let key = args[usize::from(*slot)] & mask;
                self.call(cases.get(&key).unwrap_or(default), args, scratch)
            }
            Node::Errno(errno) => Outcome::Done(-i64::from(*errno)),
            Node::Forward { sources, node } => {
                match gather(self.table.abi, self.space, sources, args) {
                    Some(args) => self.call(node, &args, scratch),
                    None => Outcome::Done(-i64::from(libc::EFAULT)),
                }
            }
        }
    }

    /// Whether the path at a guest address is one that leads to no file.
    fn is_missing(&self, address: u64) -> bool {
        let Ok(Some(path)) = self.space.read_cstr(address, libc::PATH_MAX as usize) else {
            return false;
        };
        // An error is not for here to tell.
        let in_sysroot = |root: &Sysroot| root.resolve(libc::AT_FDCWD, &path, true) != Ok(None);
        if self.sysroot.is_some_and(in_sysroot) {
            return false;
        }
        let Ok(path) = CString::new(path) else {
            return false;
        };
        // SAFETY: `path` is a C string.
        let found = unsafe { libc::access(path.as_ptr(), libc::F_OK) } == 0;
        !found
            && Error::last_os_error().raw_os_error() == Some(libc::ENOENT)
            && map_files::by_host_name(self.space, libc::AT_FDCWD, path.as_bytes()).is_none()
    }

    fn scalars(&self, ops: &[Op], args: &Args) -> Scalars {
        let mut scalars = Scalars {
            values: [0; MAX_OPS],
            count: ops.len(),
            signed: 0,
        };
        for (index, (value, op)) in scalars.values.iter_mut().zip(ops).enumerate() {
            *value = match *op {
                Op::Int { slot, bits, signed } => {
                    scalars.signed |= u8::from(signed) << index;
                    extend(args[usize::from(slot)], bits, signed)
                }
                Op::Pair { low, high } => pair(args, low, high),
                Op::Id16 { slot } => id16(args[usize::from(slot)]),
                Op::Flags { slot, map } => self.flags(map, args[usize::from(slot)]),
                Op::Value { slot, map } => self.value(map, args[usize::from(slot)]),
                Op::Const(value) => value as u64,
                _ => 0,
            };
        }
        scalars
    }
}

/// Where the argument of a call is in memory, if it is there, that another one stands for.
pub(super) fn address(abi: GuestAbi, source: Source, args: &Args) -> Option<u64> {
    match source {
        Source::Memory { slot, index } => {
            let at = usize::from(index) * abi.word_bytes();
            Some(args[usize::from(slot)].wrapping_add(at as u64))
        }
        Source::Slot { .. } | Source::Const(_) => None,
    }
}

/// The arguments of a call that another one stands for; None: some cannot be read.
pub(super) fn gather(
    abi: GuestAbi,
    space: &AddressSpace,
    sources: &[Source],
    args: &Args,
) -> Option<Args> {
    let mut found = [0; MAX_SLOTS];
    for (value, &source) in found.iter_mut().zip(sources) {
        *value = match (source, address(abi, source, args)) {
            (Source::Slot { slot, mask }, _) => args[usize::from(slot)] & mask,
            (Source::Const(value), _) => value,
            (Source::Memory { .. }, at) => {
                let mut bytes = [0; 8];
                let bytes = &mut bytes[..abi.word_bytes()];
                space.read(at?, bytes).ok()?;
                get_int(bytes, abi.big_endian, false)
            }
        };
    }
    Some(found)
}

pub(super) fn extend(value: u64, bits: u8, signed: bool) -> u64 {
    let unused = 64 - u32::from(bits.clamp(1, 64));
    if signed {
        ((value << unused) as i64 >> unused) as u64
    } else {
        value << unused >> unused
    }
}

/// 0xffff is -1, as `low2highuid` has it (linux/highuid.h).
pub(super) fn id16(value: u64) -> u64 {
    match value & 0xffff {
        0xffff => u64::MAX,
        id => id,
    }
}

pub(super) fn pair(args: &Args, low: u8, high: u8) -> u64 {
    (args[usize::from(low)] & 0xffff_ffff) | args[usize::from(high)] << 32
}

impl Env<'_> {
    /// The host's flags for the guest's.
    pub(super) fn flags(&self, map: u16, value: u64) -> u64 {
        let map = &self.table.flag_maps[usize::from(map)];
        map_flags(map, value & 0xffff_ffff, false)
    }

    /// The host's number for the guest's; both are C `int`s.
    pub(super) fn value(&self, map: u16, value: u64) -> u64 {
        let map = &self.table.value_maps[usize::from(map)];
        extend(map.get(value as u32).into(), 32, true)
    }
}

/// Whether a call may have made a file shorter, under mappings of it.
fn shortens_files(host: u16, args: &[u64; 6]) -> bool {
    let truncates = |flags: u64| flags & libc::O_TRUNC as u64 != 0;
    match libc::c_long::from(host) {
        libc::SYS_ftruncate | libc::SYS_truncate | libc::SYS_fallocate | libc::SYS_creat => true,
        libc::SYS_open => truncates(args[1]),
        libc::SYS_openat => truncates(args[2]),
        // Its flags are in a struct; it is rare.
        libc::SYS_openat2 => true,
        _ => false,
    }
}

/// Replaces the guest's flag bits by the host's, or the other way round. Bits that one has where the
/// other has something else are not there for the other.
#[must_use]
pub fn map_flags(map: &FlagMap, value: u64, to_guest: bool) -> u64 {
    let (mut clear, mut set) = (0, 0);
    for &[guest_mask, guest, host_mask, host] in map {
        let (mask, from, to) = if to_guest {
            (host_mask, host, guest)
        } else {
            (guest_mask, guest, host)
        };
        clear |= guest_mask | host_mask;
        if mask != 0 && value & mask == from {
            set |= to;
        }
    }
    value & !clear | set
}

/// One call in the making.
pub(super) struct Call<'a> {
    pub(super) env: &'a Env<'a>,
    pub(super) args: &'a Args,
    pub(super) scratch: &'a mut Scratch,
    pub(super) abi: GuestAbi,
    /// What msg::prepare_many noted of each message.
    pub(super) message_records: *mut MessageBuffers,
    /// Whether the look-up of its path may wait for the call, and what waits.
    pub(super) can_wait: bool,
    pub(super) later: Option<Later>,
    /// What holds its paths ([`super::pin`]): where each is in scratch memory.
    pub(super) pins: Vec<(u64, Pinned)>,
}

impl Call<'_> {
    fn native(&mut self, host: u16, ops: &[Op], order: &[HostArg], ret: Ret) -> Outcome {
        let mut values = [0u64; MAX_OPS];
        let mut posts = [Post::None; MAX_OPS];
        let mut dirty = false;
        for (index, op) in ops.iter().enumerate() {
            match self.prepare(*op) {
                Ok((value, post)) => {
                    values[index] = value;
                    dirty |= !matches!(post, Post::None);
                    posts[index] = post;
                }
                Err(errno) => return Outcome::Done(-i64::from(errno)),
            }
        }
        let mut host_args = [0u64; 6];
        for (slot, arg) in host_args.iter_mut().zip(order) {
            *slot = match *arg {
                HostArg::Op(index) => values[usize::from(index)],
                HostArg::Const(value) => value as u64,
            };
        }
        if self.concerns_memory_file(host, &host_args) {
            return Outcome::Review(Review::MemoryFile, 0);
        }
        if self.concerns_tracer(host) {
            return Outcome::Review(Review::Tracer, -1);
        }
        if let Err(errno) = self.limit_write(host, &mut host_args) {
            return Outcome::Done(-i64::from(errno));
        }
        self.wrap_sent_fault(host, &mut host_args);
        kill::before(host, &host_args, self.env.pending);
        // The status tells whose a child is that stopped, even if the guest does not ask for it.
        let mut unasked = 0i32;
        let is_unasked = i64::from(host) == libc::SYS_wait4 && host_args[1] == 0;
        if is_unasked {
            host_args[1] = &raw mut unasked as u64;
        }
        let later = self.later.take();
        let mut result = if waitmask::is_of(host) {
            self.make_with_mask(host, &mut host_args)
        } else if robust::is_of(host) {
            self.make_futex(host, &mut host_args)
        } else if i64::from(host) == libc::SYS_getdents64
            && let Some(result) = self.list_map_files(&host_args)
        {
            result
        } else {
            self.make(host, later, &mut host_args)
        };
        if result == -i64::from(libc::ENOENT) && !self.pins.is_empty() && self.unpin(&mut host_args)
        {
            result = self.make(host, None, &mut host_args);
        }
        if result == -i64::from(libc::ENOENT)
            && let Some(again) = self.by_map_file(host, &mut host_args, ops, order)
        {
            result = again;
        }
        if result == -super::host::ERESTARTSYS {
            // Only a tracer's bell interrupts a call that was entered without it failing.
            let env = self.env;
            if env.pending.load(Ordering::Acquire) & BELL != 0 {
                env.wait_mask
                    .set(waitmask::of_call(host, self.args, env.space, self.abi));
            }
            return Outcome::Restart;
        }
        if result < 0 {
            if result == -i64::from(libc::EINTR) {
                if dirty {
                    self.write_back_interrupted(&posts);
                }
                let env = self.env;
                env.wait_mask
                    .set(waitmask::of_call(host, self.args, env.space, self.abi));
            }
            return Outcome::Done(result);
        }
        if i64::from(host) == libc::SYS_getdents64 && result > 0 {
            result = self.hide_donors(result, host, &mut host_args);
        }
        if shortens_files(host, &host_args) {
            self.env.space.notify_shorter_files();
        }
        if i64::from(host) == libc::SYS_sysinfo && self.abi.word_bits == 32 {
            // SAFETY: the call filled the struct, which is scratch memory where its layout is converted.
            writeback::fit_sysinfo(unsafe { &mut *(host_args[0] as *mut libc::sysinfo) });
        }
        if dirty {
            // Socket addresses last: how long they are is itself a result.
            for late in [false, true] {
                for post in posts.iter().take(ops.len()) {
                    if matches!(post, Post::Sockaddr { .. }) != late {
                        continue;
                    }
                    if let Err(errno) = self.write_back(post, result) {
                        result = -i64::from(errno);
                    }
                }
            }
        }
        if self.tells_of_stop(host, result, is_unasked.then_some(unasked)) {
            return Outcome::Review(Review::Tracer, result);
        }
        self.finish(ret, result, &host_args, ops)
    }

    pub(super) fn slot(&self, slot: u8) -> u64 {
        self.args[usize::from(slot)]
    }

    pub(super) fn pointer(&self, address: u64) -> u64 {
        host_pointer(self.env.space, address)
    }

    pub(super) fn conversion(&self, index: u16) -> &'_ Conversion {
        self.env.table.conversion(index)
    }

    pub(super) fn length(&self, length: Length, result: Option<i64>) -> u64 {
        match length {
            Length::Const(value) => value.into(),
            Length::Slot(slot) => extend(self.slot(slot), 32, true),
            Length::Deref(slot) => {
                let mut bytes = [0; 4];
                match self.env.space.read(self.slot(slot), &mut bytes) {
                    Ok(()) => get_int(&bytes, self.abi.big_endian, false),
                    Err(_) => 0,
                }
            }
            Length::Ret => result.unwrap_or(0) as u64,
        }
    }
}
