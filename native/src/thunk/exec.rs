//! Executing a call: arguments in, host call, results back.

use std::cell::Cell;
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::convert::{BAD_POINTER, Conversion, get_int, host_pointer, swap_words};
use super::direct::{self, Later};
use super::msg::{self, MessageBuffers};
use super::path::Sysroot;
use super::records::Records;
use super::review::Marks;
use super::scratch::Scratch;
use super::table::{
    Builtin, Direction, FlagMap, Follow, HostArg, Length, MAX_OPS, MAX_SLOTS, NO_SLOT, Node, Op,
    Ret, Table,
};
use super::waitmask;
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;
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
    /// Non-zero while a signal waits for the calling thread.
    pub pending: &'a AtomicU32,
    /// The mask of a call that a signal ended and that had one for its duration.
    pub wait_mask: &'a Cell<Option<u64>>,
}

/// Work to do after the call, for one argument.
#[derive(Clone, Copy)]
enum Post {
    None,
    Struct {
        conversion: u16,
        address: u64,
        host: *mut u8,
        direction: Direction,
    },
    Array {
        conversion: u16,
        address: u64,
        host: *mut u8,
        count: usize,
        filled: Length,
    },
    Bits {
        address: u64,
        host: *mut u8,
        size: usize,
    },
    Sockaddr {
        address: u64,
        host: *mut u8,
        size_slot: u8,
        room: usize,
    },
    Records {
        address: u64,
        fd: i32,
    },
    Message {
        address: u64,
        host: *mut libc::msghdr,
        buffers: MessageBuffers,
    },
    Messages {
        address: u64,
        host: *mut libc::mmsghdr,
        count: usize,
    },
}

/// The kernel refuses more vectors than this (UIO_MAXIOV).
pub const UIO_MAXIOV: usize = 1024;

impl Env<'_> {
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
                }
                .native(*host, ops, order, *ret)
            }
            Node::Python { handler, ops } => {
                Outcome::Python(handler.clone(), self.scalars(ops, args))
            }
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
        }
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
                _ => 0,
            };
        }
        scalars
    }
}

fn extend(value: u64, bits: u8, signed: bool) -> u64 {
    let unused = 64 - u32::from(bits.clamp(1, 64));
    if signed {
        ((value << unused) as i64 >> unused) as u64
    } else {
        value << unused >> unused
    }
}

/// 0xffff is -1, as `low2highuid` has it (linux/highuid.h).
fn id16(value: u64) -> u64 {
    match value & 0xffff {
        0xffff => u64::MAX,
        id => id,
    }
}

fn pair(args: &Args, low: u8, high: u8) -> u64 {
    (args[usize::from(low)] & 0xffff_ffff) | args[usize::from(high)] << 32
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

/// Replaces the guest's flag bits by the host's.
#[must_use]
pub fn map_flags(map: &FlagMap, value: u64, to_guest: bool) -> u64 {
    let (mut clear, mut set) = (0, 0);
    for (guest, host) in map {
        let (from, to) = if to_guest {
            (host, guest)
        } else {
            (guest, host)
        };
        clear |= from;
        if value & from == *from && *from != 0 {
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
    can_wait: bool,
    later: Option<Later>,
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
        let later = self.later.take();
        let mut result = self.make(host, later, &mut host_args);
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
        if shortens_files(host, &host_args) {
            self.env.space.notify_shorter_files();
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
        if self.tells_of_stop(host, result) {
            return Outcome::Review(Review::Tracer, result);
        }
        self.finish(ret, result, &host_args, ops)
    }

    pub(super) fn slot(&self, slot: u8) -> u64 {
        self.args[usize::from(slot)]
    }

    fn pointer(&self, address: u64) -> u64 {
        host_pointer(self.env.space, address)
    }

    fn length(&self, length: Length, result: Option<i64>) -> u64 {
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

    fn prepare(&mut self, op: Op) -> Result<(u64, Post), i32> {
        let simple = |value| Ok((value, Post::None));
        match op {
            Op::Int { slot, bits, signed } => simple(extend(self.slot(slot), bits, signed)),
            Op::Pair { low, high } => simple(pair(self.args, low, high)),
            Op::Id16 { slot } => simple(id16(self.slot(slot))),
            Op::Flags { slot, map } => {
                let map = &self.env.table.flag_maps[usize::from(map)];
                simple(map_flags(map, self.slot(slot) & 0xffff_ffff, false))
            }
            Op::Const(value) => simple(value as u64),
            Op::Swap32 { slot } => simple((self.slot(slot) as u32).swap_bytes().into()),
            Op::Path { slot, at, follow } => simple(self.path(slot, at, follow)?),
            Op::Buf { slot } | Op::Raw { slot } => simple(self.pointer(self.slot(slot))),
            Op::Records {
                slot,
                fd,
                direction,
                size,
            } => Ok(self.prepare_records(slot, fd, direction, size)),
            Op::Struct {
                slot,
                conversion,
                direction,
            } => Ok(self.prepare_struct(slot, conversion, direction)),
            Op::Array {
                slot,
                conversion,
                direction,
                count,
                filled,
            } => self.prepare_array(slot, conversion, direction, count, filled),
            Op::Iovec { slot, count } => {
                let count = extend(self.slot(count), self.abi.word_bits, true);
                let (pointer, _) = self.iovec(self.slot(slot), count as usize);
                simple(pointer)
            }
            Op::SockaddrIn { slot, size } => {
                let (address, size) = (self.slot(slot), self.slot(size) as u32);
                simple(msg::sockaddr_in(self, address, size))
            }
            Op::SockaddrOut { slot, size } => Ok(self.prepare_sockaddr_out(slot, size)),
            Op::Msghdr { slot, direction } => {
                let address = self.slot(slot);
                match msg::prepare(self, address, direction)? {
                    Some((host, buffers)) => Ok((
                        host as u64,
                        Post::Message {
                            address,
                            host,
                            buffers,
                        },
                    )),
                    None => simple(BAD_POINTER),
                }
            }
            Op::Mmsghdr {
                slot,
                count,
                direction,
            } => {
                // More than UIO_MAXIOV messages are cut off silently (net/socket.c).
                let address = self.slot(slot);
                let count = (self.slot(count) as u32 as usize).min(UIO_MAXIOV);
                match msg::prepare_many(self, address, count, direction)? {
                    Some(host) => Ok((
                        host as u64,
                        Post::Messages {
                            address,
                            host,
                            count,
                        },
                    )),
                    None => simple(BAD_POINTER),
                }
            }
            Op::Bits {
                slot,
                direction,
                in_bits,
                size,
            } => Ok(self.prepare_bits(slot, direction, in_bits, size)),
        }
    }

    fn path(&mut self, slot: u8, at: u8, follow: Follow) -> Result<u64, i32> {
        let address = self.slot(slot);
        let Some(sysroot) = self.env.sysroot else {
            return Ok(self.pointer(address));
        };
        if address == 0 {
            return Ok(0);
        }
        let limit = libc::PATH_MAX as usize;
        let Ok(Some(path)) = self.env.space.read_cstr(address, limit) else {
            // Unreadable or too long: the kernel finds out which.
            return Ok(self.pointer(address));
        };
        let at = if at == NO_SLOT {
            libc::AT_FDCWD
        } else {
            self.slot(at) as i32
        };
        let follow = match follow {
            Follow::Never => false,
            Follow::Always => true,
            Follow::Unless(slot, bits) => self.slot(slot) as u32 & bits == 0,
            Follow::If(slot, bits) => self.slot(slot) as u32 & bits != 0,
        };
        if self.can_wait
            && let Some(plain) = sysroot.plain(at, &path)
        {
            self.later = Some(Later {
                plain,
                at,
                path,
                follow,
            });
            return Ok(self.pointer(address));
        }
        Ok(match sysroot.resolve(at, &path, follow) {
            Some(host) => self.keep(&host),
            None => self.pointer(address),
        })
    }

    /// Copies a C string into scratch memory.
    pub(super) fn keep(&mut self, text: &CString) -> u64 {
        let bytes = text.as_bytes_with_nul();
        let copy = self.scratch.slice(bytes.len());
        copy.copy_from_slice(bytes);
        copy.as_ptr() as u64
    }

    pub(super) fn conversion(&self, index: u16) -> &'_ Conversion {
        &self.env.table.conversions[usize::from(index)]
    }

    fn prepare_struct(&mut self, slot: u8, index: u16, direction: Direction) -> (u64, Post) {
        let address = self.slot(slot);
        let conversion = &self.env.table.conversions[usize::from(index)];
        if address == 0 || conversion.identical {
            return (self.pointer(address), Post::None);
        }
        let host = self.scratch.slice(conversion.host_size);
        if direction.reads() {
            let guest = self.scratch.slice(conversion.guest_size);
            if self.env.space.read(address, guest).is_err() {
                return (BAD_POINTER, Post::None);
            }
            conversion.to_host(guest, host, self.abi, self.env.space);
        }
        let host = host.as_mut_ptr();
        let post = if direction.writes() || direction.writes_interrupted() {
            Post::Struct {
                conversion: index,
                address,
                host,
                direction,
            }
        } else {
            Post::None
        };
        (host as u64, post)
    }

    fn prepare_array(
        &mut self,
        slot: u8,
        index: u16,
        direction: Direction,
        count: Length,
        filled: Length,
    ) -> Result<(u64, Post), i32> {
        let address = self.slot(slot);
        let conversion = &self.env.table.conversions[usize::from(index)];
        if address == 0 || conversion.identical {
            return Ok((self.pointer(address), Post::None));
        }
        let count = self.length(count, None) as i64;
        // A count that the kernel refuses is left for it to refuse; what it would accept
        // is bounded by the descriptor limits (poll, epoll) or by IPC limits.
        if count <= 0 || count > 1 << 20 {
            return Ok((BAD_POINTER, Post::None));
        }
        let count = count as usize;
        let host = self.scratch.slice(conversion.host_size * count);
        if direction.reads() {
            let guest = self.scratch.slice(conversion.guest_size * count);
            if self.env.space.read(address, guest).is_err() {
                return Ok((BAD_POINTER, Post::None));
            }
            for (from, to) in guest
                .chunks_exact(conversion.guest_size)
                .zip(host.chunks_exact_mut(conversion.host_size))
            {
                conversion.to_host(from, to, self.abi, self.env.space);
            }
        }
        let host = host.as_mut_ptr();
        let post = if direction.writes() {
            Post::Array {
                conversion: index,
                address,
                host,
                count,
                filled,
            }
        } else {
            Post::None
        };
        Ok((host as u64, post))
    }

    fn prepare_records(
        &mut self,
        slot: u8,
        fd: u8,
        direction: Direction,
        size: Length,
    ) -> (u64, Post) {
        let address = self.slot(slot);
        let fd = self.slot(fd) as i32;
        let host = self.pointer(address);
        if direction.writes() {
            return (host, Post::Records { address, fd });
        }
        let size = self.length(size, None) as usize;
        match Records::written_to(fd, size) {
            None => (host, Post::None),
            Some(records) => {
                let bytes = self.scratch.slice(size);
                if self.env.space.read(address, bytes).is_err() {
                    return (BAD_POINTER, Post::None);
                }
                records.swap_written(bytes);
                (bytes.as_ptr() as u64, Post::None)
            }
        }
    }

    fn prepare_sockaddr_out(&mut self, slot: u8, size_slot: u8) -> (u64, Post) {
        let address = self.slot(slot);
        if address == 0 || !self.abi.big_endian {
            return (self.pointer(address), Post::None);
        }
        let room = self.length(Length::Deref(size_slot), None) as usize;
        let host = self.scratch.alloc(room.min(4096));
        (
            host as u64,
            Post::Sockaddr {
                address,
                host,
                size_slot,
                room: room.min(4096),
            },
        )
    }

    fn prepare_bits(
        &mut self,
        slot: u8,
        direction: Direction,
        in_bits: bool,
        size: Length,
    ) -> (u64, Post) {
        let address = self.slot(slot);
        if address == 0 {
            return (0, Post::None);
        }
        let mut size = self.length(size, None) as i64;
        if in_bits {
            // FDS_BYTES of the guest's kernel; beyond the descriptor table the kernel
            // ignores bits (core_sys_select), so a bound of 1 Mi descriptors is safe.
            let word = i64::from(self.abi.word_bits);
            size = (size.clamp(0, 1 << 20) + word - 1) / word * (word / 8);
        }
        let size = size.clamp(0, 1 << 17) as usize;
        let host = self.scratch.slice(size.next_multiple_of(8));
        if direction.reads() {
            if self.env.space.read(address, &mut host[..size]).is_err() {
                return (BAD_POINTER, Post::None);
            }
            swap_words(&mut host[..size], self.abi);
        }
        let host = host.as_mut_ptr();
        let post = if direction.writes() {
            Post::Bits {
                address,
                host,
                size,
            }
        } else {
            Post::None
        };
        (host as u64, post)
    }

    /// Converts an array of struct iovec; the count of bytes is returned too.
    pub(super) fn iovec(&mut self, address: u64, count: usize) -> (u64, usize) {
        if count == 0 || count > UIO_MAXIOV {
            return (self.pointer(address), 0);
        }
        let word = self.abi.word_bytes();
        let guest = self.scratch.slice(count * 2 * word);
        if self.env.space.read(address, guest).is_err() {
            return (BAD_POINTER, 0);
        }
        let host = self.scratch.slice(count * 16);
        let mut total = 0usize;
        for (from, to) in guest.chunks_exact(2 * word).zip(host.chunks_exact_mut(16)) {
            let base = get_int(&from[..word], self.abi.big_endian, false);
            // A length that is negative as ssize_t must stay so for the kernel's EINVAL.
            let size = get_int(&from[word..], self.abi.big_endian, true);
            to[..8].copy_from_slice(&self.pointer(base).to_le_bytes());
            to[8..].copy_from_slice(&size.to_le_bytes());
            total = total.saturating_add(size as usize);
        }
        (host.as_ptr() as u64, total)
    }

    fn write_back(&mut self, post: &Post, result: i64) -> Result<(), i32> {
        match *post {
            Post::None => Ok(()),
            Post::Struct { direction, .. } if !direction.writes() => Ok(()),
            Post::Struct {
                conversion,
                address,
                host,
                ..
            } => self.write_structs(conversion, address, host, 1),
            Post::Array {
                conversion,
                address,
                host,
                count,
                filled,
            } => {
                let filled = self.length(filled, Some(result)) as usize;
                self.write_structs(conversion, address, host, filled.min(count))
            }
            Post::Bits {
                address,
                host,
                size,
            } => {
                // SAFETY: prepare_bits allocated at least `size` bytes there.
                let bytes = unsafe { std::slice::from_raw_parts_mut(host, size) };
                swap_words(bytes, self.abi);
                self.write(address, bytes)
            }
            Post::Sockaddr {
                address,
                host,
                size_slot,
                room,
            } => {
                let size = self.length(Length::Deref(size_slot), None) as usize;
                // SAFETY: prepare_sockaddr_out allocated `room` bytes there.
                let bytes = unsafe { std::slice::from_raw_parts_mut(host, size.min(room)) };
                msg::swap_sockaddr(bytes, false);
                self.write(address, bytes)
            }
            Post::Records { address, fd } => {
                let size = result as usize;
                let Some(records) = Records::read_from(fd, size) else {
                    return Ok(());
                };
                let bytes = self.scratch.slice(size);
                self.env
                    .space
                    .read(address, bytes)
                    .map_err(|_| libc::EFAULT)?;
                records.swap_read(bytes);
                self.write(address, bytes)
            }
            Post::Message {
                address,
                host,
                buffers,
            } => msg::write_back(self, address, host, &buffers),
            Post::Messages {
                address,
                host,
                count,
            } => msg::write_back_many(self, address, host, count.min(result as usize)),
        }
    }

    /// After EINTR: only the structs declared so. The kernel ignores a failure to store
    /// them (`nanosleep_copyout` answers EFAULT, which a program cannot tell from before).
    fn write_back_interrupted(&mut self, posts: &[Post]) {
        for post in posts {
            if let Post::Struct {
                conversion,
                address,
                host,
                direction,
            } = *post
                && direction.writes_interrupted()
            {
                let _ = self.write_structs(conversion, address, host, 1);
            }
        }
    }

    fn write_structs(
        &mut self,
        index: u16,
        address: u64,
        host: *mut u8,
        count: usize,
    ) -> Result<(), i32> {
        let (guest_size, host_size) = (
            self.conversion(index).guest_size,
            self.conversion(index).host_size,
        );
        let guest = self.scratch.slice(guest_size * count);
        // SAFETY: the prepare step allocated at least `count` structs there.
        let host = unsafe { std::slice::from_raw_parts(host, host_size * count) };
        let conversion = &self.env.table.conversions[usize::from(index)];
        for (from, to) in host
            .chunks_exact(host_size)
            .zip(guest.chunks_exact_mut(guest_size))
        {
            if conversion.overflows(from) {
                return Err(libc::EOVERFLOW);
            }
            conversion.to_guest(from, to, self.abi, self.env.space);
        }
        self.write(address, guest)
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), i32> {
        self.env
            .space
            .write(address, bytes)
            .map_err(|_| libc::EFAULT)
    }
}
