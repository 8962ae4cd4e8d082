//! What the kernel reads of guest memory for a system call, as the call's declaration says: for a debugger's
//! watchpoints. Instructions are the cores' business.

use super::convert::get_int;
use super::exec::{Args, UIO_MAXIOV, address, gather};
use super::table::{Length, Node, Op, Table};
use crate::memory::AddressSpace;

/// Calls `found` with the address and the size of each piece of memory that a call with these arguments reads. Sizes
/// are what the call may read: it may end earlier.
pub fn each(
    table: &Table,
    space: &AddressSpace,
    number: u64,
    args: &Args,
    found: &mut dyn FnMut(u64, u64),
) {
    let Some(call) = table.get(number) else {
        return;
    };
    let mut node = &call.node;
    let mut args = *args;
    let ops = loop {
        node = match node {
            Node::Switch {
                slot,
                mask,
                cases,
                default,
            } => {
                let value = args[usize::from(*slot)] & mask;
                cases.get(&value).unwrap_or(default)
            }
            // socketcall(2) and its like: their arguments are read, too.
            Node::Forward { sources, node } => {
                for source in sources {
                    if let Some(at) = address(table.abi, *source, &args) {
                        found(at, table.abi.word_bytes() as u64);
                    }
                }
                match gather(table.abi, space, sources, &args) {
                    Some(other) => args = other,
                    None => return,
                }
                node
            }
            Node::Native { ops, .. } | Node::Python { ops, .. } | Node::Builtin { ops, .. } => {
                break ops;
            }
            Node::Enosys | Node::Errno(_) => return,
        };
    };
    let mut reads = Reads {
        table,
        space,
        args: &args,
        found,
    };
    for op in ops {
        reads.op(*op);
    }
}

struct Reads<'a> {
    table: &'a Table,
    space: &'a AddressSpace,
    args: &'a Args,
    found: &'a mut dyn FnMut(u64, u64),
}

impl Reads<'_> {
    fn slot(&self, slot: u8) -> u64 {
        let value = self.args[usize::from(slot)];
        match self.table.abi.word_bits {
            32 => value & 0xffff_ffff,
            _ => value,
        }
    }

    fn word(&self, addr: u64, size: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        self.space.read(addr, &mut bytes[..size]).ok()?;
        Some(get_int(&bytes[..size], self.table.abi.big_endian, false))
    }

    fn length(&self, length: Length) -> u64 {
        match length {
            Length::Const(value) => value.into(),
            Length::Slot(slot) => self.slot(slot),
            Length::Deref(slot) => self.word(self.slot(slot), 4).unwrap_or(0),
            Length::Ret => 0,
        }
    }

    fn tell(&mut self, addr: u64, size: u64) {
        if addr != 0 && size != 0 {
            (self.found)(addr, size);
        }
    }

    fn op(&mut self, op: Op) {
        match op {
            Op::Buf {
                slot,
                direction,
                size,
            }
            | Op::Records {
                slot,
                direction,
                size,
                ..
            } if direction.reads() => self.tell(self.slot(slot), self.length(size)),
            Op::Bits {
                slot,
                direction,
                in_bits,
                size,
            } if direction.reads() => {
                let size = self.length(size);
                let size = if in_bits { size.div_ceil(8) } else { size };
                self.tell(self.slot(slot), size);
            }
            Op::Struct {
                slot,
                conversion,
                direction,
            } if direction.reads() => {
                let size = self.table.conversion(conversion).guest_size;
                self.tell(self.slot(slot), size as u64);
            }
            Op::Array {
                slot,
                conversion,
                direction,
                count,
                ..
            } if direction.reads() => {
                let size = self.table.conversion(conversion).guest_size as u64;
                self.tell(self.slot(slot), self.length(count).saturating_mul(size));
            }
            Op::Path { slot, .. } => self.text(self.slot(slot)),
            Op::SockaddrIn { slot, size } => {
                self.tell(self.slot(slot), self.slot(size) & 0xffff_ffff);
            }
            Op::Iovec {
                slot,
                count,
                direction,
            } => self.vectors(self.slot(slot), self.slot(count), direction.reads()),
            Op::Msghdr { slot, direction } => self.message(self.slot(slot), direction.reads()),
            Op::Mmsghdr {
                slot,
                count,
                direction,
            } => {
                let size = 8 * self.table.abi.word_bytes() as u64;
                let count = (self.slot(count) & 0xffff_ffff).min(UIO_MAXIOV as u64);
                for index in 0..count {
                    self.message(self.slot(slot) + index * size, direction.reads());
                }
            }
            _ => {}
        }
    }

    /// A path, with its zero.
    fn text(&mut self, addr: u64) {
        let limit = libc::PATH_MAX as usize;
        if let Ok(Some(text)) = self.space.read_cstr(addr, limit) {
            self.tell(addr, text.len() as u64 + 1);
        }
    }

    /// struct iovec (include/uapi/linux/uio.h), and what they point to where that is read.
    fn vectors(&mut self, addr: u64, count: u64, buffers: bool) {
        let word = self.table.abi.word_bytes();
        if count > UIO_MAXIOV as u64 {
            return;
        }
        self.tell(addr, count * 2 * word as u64);
        for index in 0..if buffers { count } else { 0 } {
            let at = addr + index * 2 * word as u64;
            let (start, size) = (self.word(at, word), self.word(at + word as u64, word));
            if let (Some(start), Some(size)) = (start, size) {
                self.tell(start, size);
            }
        }
    }

    /// struct msghdr (include/linux/socket.h): name, its size, vectors, their number, control messages, their size, flags.
    fn message(&mut self, addr: u64, buffers: bool) {
        let word = self.table.abi.word_bytes();
        self.tell(addr, 7 * word as u64);
        let field = |this: &Self, index: u64, size| {
            let at = addr + index * word as u64;
            this.word(at, size).unwrap_or(0)
        };
        if buffers {
            self.tell(field(self, 0, word), field(self, 1, 4));
            self.tell(field(self, 4, word), field(self, 5, word));
        }
        self.vectors(field(self, 2, word), field(self, 3, word), buffers);
    }
}
