//! A Thumb instruction that lies in two pages: fetched from both, forgotten when either changes. Encodings are those
//! that `arm-linux-gnueabihf-as` gives for the assembly beside them.

use super::*;

const PAGE: u64 = 0x1000;
/// The second page, before which the instruction begins.
const SECOND: u64 = CODE + PAGE;
const START: u64 = SECOND - 2;
const RWX: i32 = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;

const PC: u32 = 15;
const CPSR: u32 = 16;
const THUMB: u64 = 0x20;

fn half(space: &AddressSpace, at: u64, value: u16) {
    space.write(at, &value.to_le_bytes()).expect("code");
}

/// movs r2, #7 before it; movw r0, #1; bkpt #0
fn crossing() -> (Arc<AddressSpace>, Box<dyn CpuCore>) {
    let config = SpaceConfig {
        va_bits: 32,
        ..SpaceConfig::default()
    };
    let space = AddressSpace::new(config).expect("an address space");
    map(&space, CODE, 2 * PAGE, RWX);
    half(&space, START - 2, 0x2207);
    half(&space, START, 0xf240);
    half(&space, SECOND, 0x0001);
    half(&space, SECOND + 2, 0xbe00);
    let guest = crate::tests::arm();
    let core = open(guest, &NativeConfig::default(), space.clone(), None).expect("a core");
    (space, core)
}

/// What r0 is behind the instruction, from code that begins at `pc`.
fn result(core: &mut dyn CpuCore, pc: u64) -> u64 {
    core.set(0, 0xdead);
    core.set(CPSR, THUMB);
    core.set(PC, pc);
    assert_eq!(run(core), Exit::Breakpoint { imm: 0 });
    core.get(0)
}

#[test]
fn an_instruction_in_two_pages_is_fetched_from_both() {
    let (_space, mut c) = crossing();
    for _ in 0..2 {
        assert_eq!(result(c.as_mut(), START), 1);
        c.set(2, 0);
        assert_eq!(result(c.as_mut(), START - 2), 1);
        assert_eq!(c.get(2), 7);
    }
}

#[test]
fn a_change_of_either_page_is_seen() {
    for start in [START, START - 2] {
        let (space, mut c) = crossing();
        assert_eq!(result(c.as_mut(), start), 1);
        // movw r0, #2, by its half in the second page.
        half(&space, SECOND, 0x0002);
        c.invalidate(SECOND, SECOND + 2);
        assert_eq!(result(c.as_mut(), start), 2);
        // movw r0, #0x1002, by its half in the first one.
        half(&space, START, 0xf241);
        c.invalidate(START, START + 2);
        assert_eq!(result(c.as_mut(), start), 0x1002);
        // Another mapping in the place of the second page says so by itself.
        map(&space, SECOND, PAGE, RWX);
        half(&space, SECOND, 0x0003);
        half(&space, SECOND + 2, 0xbe00);
        assert_eq!(result(c.as_mut(), start), 0x1003);
        // And of the first one.
        map(&space, CODE, PAGE, RWX);
        half(&space, START - 2, 0x2207);
        half(&space, START, 0xf242);
        assert_eq!(result(c.as_mut(), start), 0x2003);
    }
}

#[test]
fn without_the_second_page_it_faults_there() {
    let fault = |mapped| Exit::Fault {
        addr: SECOND,
        access: Access::Fetch,
        mapped,
        bus: false,
        align: false,
    };
    let (space, mut c) = crossing();
    assert_eq!(result(c.as_mut(), START), 1);
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    assert_eq!(space.mprotect(SECOND, PAGE, prot), Ok(()));
    c.set(CPSR, THUMB);
    c.set(PC, START);
    assert_eq!((run(c.as_mut()), c.get(PC)), (fault(true), START));
    assert_eq!(space.munmap(SECOND, PAGE), Ok(()));
    assert_eq!((run(c.as_mut()), c.get(PC)), (fault(false), START));
    // It is there again.
    map(&space, SECOND, PAGE, RWX);
    half(&space, SECOND, 0x0005);
    half(&space, SECOND + 2, 0xbe00);
    assert_eq!(result(c.as_mut(), START), 5);
}
