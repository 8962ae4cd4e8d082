//! Results back: what is left to do for an argument after the call.

use super::convert::swap_words;
use super::exec::Call;
use super::msg::{self, MessageBuffers};
use super::records::Records;
use super::table::{Direction, Length};

/// Work to do after the call, for one argument.
#[derive(Clone, Copy)]
pub(super) enum Post {
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

/// Sizes that do not fit a word of 32 bits are given in larger units (kernel/sys.c,
/// `compat_sys_sysinfo`).
pub(super) fn fit_sysinfo(info: &mut libc::sysinfo) {
    const PAGE: u32 = 4096;
    let largest = info.totalram.max(info.totalswap);
    if largest.saturating_mul(info.mem_unit.into()) >> 32 == 0 {
        return;
    }
    while info.mem_unit < PAGE {
        info.mem_unit <<= 1;
        for size in [
            &mut info.totalram,
            &mut info.freeram,
            &mut info.sharedram,
            &mut info.bufferram,
            &mut info.totalswap,
            &mut info.freeswap,
            &mut info.totalhigh,
            &mut info.freehigh,
        ] {
            *size >>= 1;
        }
    }
}

impl Call<'_> {
    pub(super) fn write_back(&mut self, post: &Post, result: i64) -> Result<(), i32> {
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
                let Some(records) = Records::read_from(fd, size, self.abi) else {
                    return Ok(());
                };
                let bytes = self.scratch.slice(size);
                self.env
                    .space
                    .read(address, bytes)
                    .map_err(|_| libc::EFAULT)?;
                records.swap_read(bytes, self.abi);
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
    pub(super) fn write_back_interrupted(&mut self, posts: &[Post]) {
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
        let conversion = self.env.table.conversion(index);
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

#[cfg(test)]
mod tests {
    use super::fit_sysinfo;

    #[test]
    fn sizes_fit_into_32_bits() {
        // SAFETY: sysinfo is plain data for which zero is valid.
        let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
        (info.mem_unit, info.totalram, info.freeram) = (1, (4 << 30) - 4096, 8192);
        fit_sysinfo(&mut info);
        assert_eq!(
            (info.mem_unit, info.freeram),
            (1, 8192),
            "they fit as they are"
        );
        (info.totalram, info.freehigh) = (64 << 30, 4096);
        fit_sysinfo(&mut info);
        assert_eq!(info.mem_unit, 4096);
        assert_eq!((info.totalram, info.freeram), (16 << 20, 2));
        assert_eq!(info.freehigh, 1);
        (info.mem_unit, info.totalram, info.totalswap) = (1, 1, 4 << 30);
        fit_sysinfo(&mut info);
        assert_eq!((info.mem_unit, info.totalswap), (4096, 1 << 20));
    }
}
