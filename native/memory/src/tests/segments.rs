//! shmat and shmdt.

use libc::{EINVAL, IPC_PRIVATE, IPC_RMID, SHM_RDONLY, SHM_REMAP, SHM_RND};

use super::{PAGE, RW, layout, map_at, space};
use crate::{Backing, Efault, Prot};

/// A segment that vanishes with its last user.
struct Segment(i32);

impl Segment {
    fn new(size: usize) -> Self {
        // SAFETY: creates a segment.
        let id = unsafe { libc::shmget(IPC_PRIVATE, size, 0o600) };
        assert!(id >= 0);
        Self(id)
    }

    fn attachments(&self) -> u64 {
        // SAFETY: all zero is a valid value, which the kernel replaces.
        unsafe {
            let mut info: libc::shmid_ds = std::mem::zeroed();
            assert_eq!(libc::shmctl(self.0, libc::IPC_STAT, &raw mut info), 0);
            info.shm_nattch
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: removes the segment made above.
        unsafe { libc::shmctl(self.0, IPC_RMID, std::ptr::null_mut()) };
    }
}

#[test]
fn attaching_and_detaching() {
    let space = space();
    let segment = Segment::new(3 * 4096 - 100);
    let one = space.shmat(segment.0, 0, 0, PAGE).unwrap();
    let two = space.shmat(segment.0, 0x10_0000, SHM_RDONLY, PAGE).unwrap();
    assert_eq!((one, two), (space.mmap_base() - 3 * PAGE, 0x10_0000));
    assert_eq!(segment.attachments(), 2);
    space.write_u64(one + PAGE, 3).unwrap();
    assert_eq!(space.read_u64(two + PAGE), Ok(3));
    assert_eq!(space.write_u64(two, 1), Err(Efault { addr: two }));
    assert_eq!(space.prot_at(two), Some(Prot::READ));
    assert!(matches!(
        space.region_at(one).unwrap().backing,
        Backing::Shm { .. }
    ));
    assert_eq!(space.shmdt(two + PAGE), Err(EINVAL));
    space.shmdt(two).unwrap();
    assert_eq!(segment.attachments(), 1);
    assert_eq!(space.shmdt(two), Err(EINVAL));
    space.munmap(one + PAGE, PAGE).unwrap();
    space.shmdt(one).unwrap();
    assert_eq!(segment.attachments(), 0);
    assert_eq!(layout(&space), []);
    assert!(space.window.is_whole(0, space.limit()));
}

#[test]
fn addresses() {
    let space = space();
    let segment = Segment::new(4096);
    let attach = |addr, flags| space.shmat(segment.0, addr, flags, 4 * PAGE);
    assert_eq!(
        attach(0x10_1000, 0),
        Err(EINVAL),
        "not a multiple of SHMLBA"
    );
    assert_eq!(attach(0x10_1000, SHM_RND), Ok(0x10_0000));
    assert_eq!(attach(0x10_0000, 0), Err(EINVAL), "in use");
    assert_eq!(attach(0x10_0000, SHM_REMAP), Ok(0x10_0000));
    assert_eq!(attach(0, SHM_REMAP), Err(EINVAL));
    assert_eq!(attach(0, 0).unwrap() % (4 * PAGE), 0);
    assert_eq!(space.shmat(-1, 0, 0, PAGE), Err(EINVAL));
    map_at(&space, 0x20_0000, 1, RW);
    assert_eq!(attach(0x20_0000, 0), Err(EINVAL));
}
