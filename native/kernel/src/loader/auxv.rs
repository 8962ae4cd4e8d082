//! The auxiliary vector: `include/uapi/linux/auxvec.h`, and `create_elf_tables` of `fs/binfmt_elf.c`.

pub const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
pub const AT_UID: u64 = 11;
pub const AT_EUID: u64 = 12;
pub const AT_GID: u64 = 13;
pub const AT_EGID: u64 = 14;
pub const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
pub const AT_SECURE: u64 = 23;
pub const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
pub const AT_EXECFN: u64 = 31;
const AT_RSEQ_FEATURE_SIZE: u64 = 27;
const AT_RSEQ_ALIGN: u64 = 28;
const AT_SYSINFO_EHDR: u64 = 33;
const AT_MINSIGSTKSZ: u64 = 51;

/// `USER_HZ`, the unit of times(2): 100 on every guest there is here.
const CLOCKS_PER_SEC: u64 = 100;

/// The values of an auxiliary vector that do not depend on where the stack is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    pub phdr: u64,
    pub phent: u64,
    pub phnum: u64,
    pub base: u64,
    pub entry: u64,
    pub hwcap: u64,
    pub hwcap2: Option<u64>,
    /// 0: there is no such entry.
    pub minsigstksz: u64,
    /// Entries that only this architecture has.
    pub own: &'a [(u64, u64)],
    pub page_size: u64,
    /// Where the vDSO is; 0: there is none.
    pub vdso: u64,
    /// Whether there is a name of the platform.
    pub platform: bool,
    /// Feature size and alignment of rseq(2), where the guest may use it.
    pub rseq: Option<(u64, u64)>,
}

impl Facts<'_> {
    /// The vector, with zeros for what is filled in when it is put onto the stack: addresses there,
    /// and the ids of the process.
    ///
    /// The order is that of `create_elf_tables`, which puts the architecture's own
    /// entries (`ARCH_DLINFO`) first.
    #[must_use]
    pub fn vector(&self) -> Vector {
        let mut out = self.own.to_vec();
        if self.vdso != 0 {
            out.push((AT_SYSINFO_EHDR, self.vdso));
        }
        if self.minsigstksz != 0 {
            out.push((AT_MINSIGSTKSZ, self.minsigstksz));
        }
        out.extend([
            (AT_HWCAP, self.hwcap),
            (AT_PAGESZ, self.page_size),
            (AT_CLKTCK, CLOCKS_PER_SEC),
            (AT_PHDR, self.phdr),
            (AT_PHENT, self.phent),
            (AT_PHNUM, self.phnum),
            (AT_BASE, self.base),
            (AT_FLAGS, 0),
            (AT_ENTRY, self.entry),
            (AT_UID, 0),
            (AT_EUID, 0),
            (AT_GID, 0),
            (AT_EGID, 0),
            (AT_SECURE, 0),
            (AT_RANDOM, 0),
        ]);
        out.extend(self.hwcap2.map(|value| (AT_HWCAP2, value)));
        out.push((AT_EXECFN, 0));
        if self.platform {
            out.push((AT_PLATFORM, 0));
        }
        if let Some((size, align)) = self.rseq {
            out.extend([(AT_RSEQ_FEATURE_SIZE, size), (AT_RSEQ_ALIGN, align)]);
        }
        out.push((AT_NULL, 0));
        out
    }
}

/// An auxiliary vector: types and values, `AT_NULL` included.
pub type Vector = Vec<(u64, u64)>;

/// The ids that a new image starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
}

impl Credentials {
    /// Those of this process.
    #[must_use]
    pub fn current() -> Self {
        // SAFETY: the four calls take nothing and cannot fail (getuid(2), getgid(2)).
        let (uid, euid, gid, egid) = unsafe {
            (
                libc::getuid(),
                libc::geteuid(),
                libc::getgid(),
                libc::getegid(),
            )
        };
        Self {
            uid,
            euid,
            gid,
            egid,
        }
    }

    /// Set-id ones make an execution a secure one (getauxval(3)).
    #[must_use]
    pub fn secure(self) -> bool {
        self.uid != self.euid || self.gid != self.egid
    }

    /// Puts them into a vector that was made ready with those of another process.
    pub fn patch(self, vector: &mut [(u64, u64)]) {
        for (kind, value) in vector {
            *value = match *kind {
                AT_UID => self.uid.into(),
                AT_EUID => self.euid.into(),
                AT_GID => self.gid.into(),
                AT_EGID => self.egid.into(),
                AT_SECURE => self.secure().into(),
                _ => continue,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_replace_only_their_entries() {
        let mut vector = vec![
            (6, 4096),
            (11, 1),
            (12, 1),
            (13, 1),
            (14, 1),
            (23, 1),
            (0, 0),
        ];
        let who = Credentials {
            uid: 1000,
            euid: 1000,
            gid: 100,
            egid: 100,
        };
        who.patch(&mut vector);
        let expected = vec![
            (6, 4096),
            (11, 1000),
            (12, 1000),
            (13, 100),
            (14, 100),
            (23, 0),
            (0, 0),
        ];
        assert_eq!(vector, expected);
        for other in [
            Credentials { euid: 0, ..who },
            Credentials { egid: 0, ..who },
        ] {
            other.patch(&mut vector);
            assert_eq!(vector[5], (23, 1));
        }
    }
}
