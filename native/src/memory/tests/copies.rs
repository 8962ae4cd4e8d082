//! Copies that fault.

use crate::memory::{AddressSpace, Efault, MmapRequest, Prot, SpaceConfig};

const RW: Prot = Prot::from_bits(3);

#[test]
fn a_copy_stops_at_an_unmapped_page() {
    let space = AddressSpace::new(SpaceConfig::default()).unwrap();
    let at = space.mmap(MmapRequest::anonymous(0x3000, RW)).unwrap();
    space.munmap(at + 0x2000, 0x1000).unwrap();
    let data = vec![7_u8; 0x3000];
    assert_eq!(space.write(at, &data), Err(Efault { addr: at + 0x2000 }));
    let mut back = vec![0_u8; 0x3000];
    assert_eq!(space.read(at, &mut back), Err(Efault { addr: at + 0x2000 }));
    assert_eq!(back[..0x2000], data[..0x2000]);
    assert!(back[0x2000..].iter().all(|&byte| byte == 0));
    assert_eq!(
        space.read_u32(at + 0x1ffe),
        Err(Efault { addr: at + 0x1ffe })
    );
}
