//! rt_sigaction(2) and the sigaction(2) of old, and the structs that they take.

use super::{Action, NSIG, ThreadSignals, UNBLOCKABLE, bit, host};
use crate::abi::GuestAbi;
use crate::memory::AddressSpace;
use crate::thunk::convert::{get_int, put_int};

/// What struct sigaction of an architecture's kernel has (include/linux/signal_types.h), which is not what that of its
/// C library has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigactionForm {
    /// `sa_restorer` stands before the mask (`__ARCH_HAS_SA_RESTORER`: the headers define SA_RESTORER).
    pub restorer: bool,
    /// `sa_flags`, an int then, stands before the handler (`__ARCH_HAS_IRIX_SIGACTION`).
    pub flags_first: bool,
}

impl SigactionForm {
    /// arm, arm64, x86 and most others.
    pub const WITH_RESTORER: Self = Self {
        restorer: true,
        flags_first: false,
    };
}

/// Bytes of the signals that the host has, and so those of all guests' sets that count.
const COUNTED: usize = 8;
/// More than any struct sigaction has.
const MOST: usize = 64;

/// One of the two structs.
#[derive(Clone, Copy)]
struct Layout {
    abi: GuestAbi,
    form: SigactionForm,
    /// `struct old_sigaction`: the mask is one word and stands second, the restorer last.
    old: bool,
    sigset_size: usize,
}

/// Where the fields are, and the size of all. `None`: there is no such field.
struct Places {
    handler: usize,
    flags: usize,
    flags_size: usize,
    restorer: Option<usize>,
    mask: usize,
    size: usize,
}

impl Layout {
    fn places(self) -> Places {
        let word = self.abi.word_bytes();
        if self.old {
            return Places {
                handler: 0,
                mask: word,
                flags: 2 * word,
                flags_size: word,
                restorer: Some(3 * word),
                size: 4 * word,
            };
        }
        let (handler, flags, flags_size) = if self.form.flags_first {
            (word, 0, 4)
        } else {
            (0, word, word)
        };
        let restorer = self.form.restorer.then_some(2 * word);
        let mask = 2 * word + if self.form.restorer { word } else { 0 };
        let size = mask + self.sigset_size;
        Places {
            handler,
            flags,
            flags_size,
            restorer,
            mask,
            size,
        }
    }

    fn read(self, bytes: &[u8]) -> Action {
        let (places, word, big) = (self.places(), self.abi.word_bytes(), self.abi.big_endian);
        let get = |at: usize, size: usize| get_int(&bytes[at..at + size], big, false);
        let mask = match self.words_of_mask() {
            1 => get(places.mask, word),
            _ => get(places.mask, word) | get(places.mask + word, word) << 32,
        };
        Action {
            handler: get(places.handler, word),
            flags: get(places.flags, places.flags_size),
            restorer: places.restorer.map_or(0, |at| get(at, word)),
            mask,
        }
    }

    fn write(self, action: &Action, bytes: &mut [u8]) {
        let (places, word, big) = (self.places(), self.abi.word_bytes(), self.abi.big_endian);
        let mut put = |at: usize, size: usize, value: u64| {
            put_int(&mut bytes[at..at + size], big, value);
        };
        put(places.handler, word, action.handler);
        put(places.flags, places.flags_size, action.flags);
        if let Some(at) = places.restorer {
            put(at, word, action.restorer);
        }
        put(places.mask, word, action.mask);
        if self.words_of_mask() == 2 {
            put(places.mask + word, word, action.mask >> 32);
        }
    }

    /// How many words hold the signals that count.
    fn words_of_mask(self) -> usize {
        if self.old {
            1
        } else {
            COUNTED / self.abi.word_bytes()
        }
    }
}

fn checked_signal(signal: i32) -> Result<usize, i32> {
    if (1..=NSIG as i32).contains(&signal) {
        Ok(signal as usize - 1)
    } else {
        Err(libc::EINVAL)
    }
}

impl ThreadSignals {
    /// rt_sigaction(2); `old`: the sigaction(2) of 32-bit guests.
    ///
    /// # Errors
    /// The call's errno.
    pub fn sigaction(&mut self, space: &AddressSpace, args: &[u64], old: bool) -> Result<u64, i32> {
        let signal = args[0] as i32;
        let index = checked_signal(signal)?;
        if !old && args[3] != self.sigset_size() {
            return Err(libc::EINVAL);
        }
        let facts = self.linux.facts();
        let layout = Layout {
            abi: self.abi,
            form: facts.sigaction,
            old,
            sigset_size: facts.sigset_size,
        };
        let mut bytes = [0; MOST];
        let bytes = &mut bytes[..layout.places().size];
        let (new_at, old_at) = (args[1], args[2]);
        let new = if new_at == 0 {
            None
        } else {
            space.read(new_at, bytes).map_err(|_| libc::EFAULT)?;
            Some(layout.read(bytes))
        };
        if new.is_some() && bit(signal) & UNBLOCKABLE != 0 {
            return Err(libc::EINVAL);
        }
        let before = self.actions.with(|table| {
            let before = table[index];
            if let Some(mut action) = new {
                action.mask &= !UNBLOCKABLE;
                table[index] = action;
                host::install(&self.actions.known, signal, &action);
            }
            before
        });
        if old_at != 0 {
            bytes.fill(0);
            layout.write(&before, bytes);
            space.write(old_at, bytes).map_err(|_| libc::EFAULT)?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTION: Action = Action {
        handler: 0x1122_3344,
        flags: 0x5000_0004,
        restorer: 0x5566_7788,
        mask: 0x0000_0002_8000_0001,
    };

    fn bytes(abi: (u8, bool), form: SigactionForm, old: bool, sigset_size: usize) -> Vec<u8> {
        let layout = Layout {
            abi: GuestAbi {
                word_bits: abi.0,
                big_endian: abi.1,
            },
            form,
            old,
            sigset_size,
        };
        let mut bytes = vec![0; layout.places().size];
        layout.write(&ACTION, &mut bytes);
        let mut read = layout.read(&bytes);
        if !old && !form.restorer {
            assert_eq!(std::mem::replace(&mut read.restorer, ACTION.restorer), 0);
        }
        if old {
            read.mask |= ACTION.mask & !0xffff_ffff;
        }
        assert_eq!(read, ACTION);
        bytes
    }

    fn words(words: &[u32], big: bool) -> Vec<u8> {
        let bytes = |word: &u32| {
            if big {
                word.to_be_bytes()
            } else {
                word.to_le_bytes()
            }
        };
        words.iter().flat_map(bytes).collect()
    }

    #[test]
    fn as_the_kernels_headers_have_it() {
        let with = SigactionForm::WITH_RESTORER;
        let arm = [0x1122_3344, 0x5000_0004, 0x5566_7788, 0x8000_0001, 2];
        assert_eq!(bytes((32, false), with, false, 8), words(&arm, false));
        assert_eq!(bytes((32, true), with, false, 8), words(&arm, true));
        let old = [0x1122_3344, 0x8000_0001, 0x5000_0004, 0x5566_7788];
        assert_eq!(bytes((32, false), with, true, 8), words(&old, false));
        let arm64 = [
            0x1122_3344,
            0,
            0x5000_0004,
            0,
            0x5566_7788,
            0,
            0x8000_0001,
            2,
        ];
        assert_eq!(bytes((64, false), with, false, 8), words(&arm64, false));
        // riscv and loongarch have neither vDSO-less programs nor SA_RESTORER.
        let without = SigactionForm {
            restorer: false,
            ..with
        };
        let riscv = [0x1122_3344, 0, 0x5000_0004, 0, 0x8000_0001, 2];
        assert_eq!(bytes((64, false), without, false, 8), words(&riscv, false));
        // arch/mips/include/uapi/asm/signal.h, whose sets have 128 signals.
        let mips = SigactionForm {
            restorer: false,
            flags_first: true,
        };
        let o32 = [0x5000_0004, 0x1122_3344, 0x8000_0001, 2, 0, 0];
        assert_eq!(bytes((32, true), mips, false, 16), words(&o32, true));
    }
}
