//! The entries of the auxiliary vector that are not known when a vector is made ready
//! (`qusr/loader/auxv.py`, which has their order): `include/uapi/linux/auxvec.h`.

pub const AT_UID: u64 = 11;
pub const AT_EUID: u64 = 12;
pub const AT_GID: u64 = 13;
pub const AT_EGID: u64 = 14;
pub const AT_PLATFORM: u64 = 15;
pub const AT_SECURE: u64 = 23;
pub const AT_BASE_PLATFORM: u64 = 24;
pub const AT_RANDOM: u64 = 25;
pub const AT_EXECFN: u64 = 31;

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
