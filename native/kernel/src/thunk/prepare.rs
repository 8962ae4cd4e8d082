//! Arguments in: what each [`Op`] makes of the guest's arguments for the host's call.

use std::ffi::CString;

use super::convert::{BAD_POINTER, get_int, read_set, swap_words};
use super::direct::Later;
use super::exec::{Call, UIO_MAXIOV, extend, id16, pair};
use super::msg;
use super::pin::Last;
use super::records::Records;
use super::table::{Direction, Follow, Length, NO_SLOT, Op};
use super::writeback::Post;

impl Call<'_> {
    pub(super) fn prepare(&mut self, op: Op) -> Result<(u64, Post), i32> {
        let simple = |value| Ok((value, Post::None));
        match op {
            Op::Int { slot, bits, signed } => simple(extend(self.slot(slot), bits, signed)),
            Op::Pair { low, high } => simple(pair(self.args, low, high)),
            Op::Id16 { slot } => simple(id16(self.slot(slot))),
            Op::Flags { slot, map } => simple(self.env.flags(map, self.slot(slot))),
            Op::Value { slot, map } => simple(self.env.value(map, self.slot(slot))),
            Op::Const(value) => simple(value as u64),
            Op::Swap32 { slot } => simple((self.slot(slot) as u32).swap_bytes().into()),
            Op::Path {
                slot,
                at,
                follow,
                host_root,
            } => simple(self.path(slot, at, follow, host_root)?),
            Op::Buf { slot, .. } | Op::Raw { slot } => simple(self.pointer(self.slot(slot))),
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
            Op::Iovec { slot, count, .. } => {
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
            Op::Sigset { slot } => simple(self.prepare_sigset(self.slot(slot))),
            Op::Bits {
                slot,
                direction,
                in_bits,
                size,
            } => Ok(self.prepare_bits(slot, direction, in_bits, size)),
        }
    }

    fn path(&mut self, slot: u8, at: u8, follow: Follow, host_root: bool) -> Result<u64, i32> {
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
        if host_root && path == b"/" {
            return Ok(self.pointer(address));
        }
        let at = self.directory(at);
        let follow = match follow {
            Follow::Never => false,
            Follow::Always => true,
            Follow::Unless(slot, bits) => self.slot(slot) as u32 & bits == 0,
            Follow::If(slot, bits) => self.slot(slot) as u32 & bits != 0,
        };
        if self.can_wait {
            self.later = Later::of(sysroot, at, path, follow);
            return Ok(self.pointer(address));
        }
        let last = if follow { Last::Followed } else { Last::Itself };
        let host = self.pinned_path(at, &path, last, host_root)?;
        Ok(host.unwrap_or_else(|| self.pointer(address)))
    }

    /// The descriptor that a path starts from, which is in the slot `at`.
    pub(super) fn directory(&self, at: u8) -> i32 {
        if at == NO_SLOT {
            libc::AT_FDCWD
        } else {
            self.slot(at) as i32
        }
    }

    /// Copies a C string into scratch memory.
    pub(super) fn keep(&mut self, text: &CString) -> u64 {
        let bytes = text.as_bytes_with_nul();
        let copy = self.scratch.slice(bytes.len());
        copy.copy_from_slice(bytes);
        copy.as_ptr() as u64
    }

    fn prepare_struct(&mut self, slot: u8, index: u16, direction: Direction) -> (u64, Post) {
        let address = self.slot(slot);
        let conversion = self.env.table.conversion(index);
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
        let conversion = self.env.table.conversion(index);
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
        if !self.abi.big_endian {
            return (host, Post::None);
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

    fn prepare_sigset(&mut self, address: u64) -> u64 {
        if address == 0 {
            return 0;
        }
        let Some(set) = read_set(self.env.space, address, self.abi) else {
            return BAD_POINTER;
        };
        let host = self.scratch.slice(8);
        host.copy_from_slice(&set.to_le_bytes());
        host.as_ptr() as u64
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
}
