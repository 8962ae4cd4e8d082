//! A guest that differs from the host wherever guests do: big-endian with arguments on the stack, a flag
//! for errors and a second result (as MIPS o32 has them: arch/mips/kernel/scall32-o32.S).

use std::sync::Arc;

use super::{CloneOrder, Facts, LinuxAbi, Registers, StackArgs};
use crate::abi::GuestAbi;
use crate::cpu::{CpuCore, Exit, Regs};
use crate::memory::{AddressSpace, Efault, MmapRequest, Prot, SpaceConfig};
use crate::signal::{FaultInfo, FrameContext, Restored};

/// Registers 0-31, then the pc.
pub(crate) struct TestAbi;

const V0: u32 = 2;
const V1: u32 = 3;
const A0: u32 = 4;
const A3: u32 = 7;

static FACTS: Facts = Facts {
    registers: Registers {
        number: V0,
        args: &[A0, 5, 6, A3],
        stack_args: Some(StackArgs {
            offset: 16,
            count: 3,
        }),
        results: &[V0, V1, A3],
        pc: 32,
        sp: 29,
        tls: 26,
        count: 33,
        leading: &[],
        call_marker: None,
        shown_number: None,
        pending_result: None,
        indirect: None,
    },
    machine: 8,
    clone: CloneOrder::BACKWARDS,
    sigset_size: 16,
    action: super::ActionLayout::RESTORER,
    min_signal_stack: 2048,
    trampoline_name: "[vdso]",
    page_size: 4096,
    shmlba: 0x4_0000,
    has_vdso: false,
    tagged_addresses: false,
    stack_flags_last: false,
    breaks_need_tracer: false,
};

impl LinuxAbi for TestAbi {
    fn name(&self) -> &'static str {
        "test"
    }

    fn abi(&self) -> GuestAbi {
        GuestAbi::of(32, true)
    }

    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn set_result(&self, regs: &mut dyn Regs, result: i64, second: Option<u64>) {
        let failed = (-4095..0).contains(&result);
        regs.set(A3, failed.into());
        regs.set(V0, if failed { -result } else { result } as u64);
        if let Some(second) = second {
            regs.set(V1, second);
        }
    }

    fn call_address(&self, _regs: &mut dyn Regs, behind: u64) -> u64 {
        behind - 4
    }

    fn trampoline(&self) -> Vec<u8> {
        Vec::new()
    }

    fn push_frame(
        &self,
        _core: &mut dyn CpuCore,
        _space: &AddressSpace,
        top: u64,
        _context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        Err(Efault { addr: top })
    }

    fn frame_mask(&self, _rt: bool) -> u64 {
        0
    }

    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        _space: &AddressSpace,
        _rt: bool,
    ) -> Result<Restored, Efault> {
        Err(Efault {
            addr: core.get(FACTS.registers.sp),
        })
    }

    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, _space: &AddressSpace) -> FaultInfo {
        FaultInfo::of(exit, core.get(FACTS.registers.pc))
    }
}

struct File([u64; 33]);

impl Regs for File {
    fn get(&mut self, id: u32) -> u64 {
        self.0[id as usize]
    }

    fn set(&mut self, id: u32, value: u64) {
        self.0[id as usize] = value & 0xffff_ffff;
    }
}

fn space() -> Arc<AddressSpace> {
    AddressSpace::new(SpaceConfig {
        va_bits: 32,
        guest_base: None,
        reserved_va: None,
        mmap_min_addr: 0x1_0000,
        ..SpaceConfig::default()
    })
    .unwrap()
}

#[test]
fn arguments_in_registers_and_on_the_stack() {
    let space = space();
    let prot = Prot::READ | Prot::WRITE;
    let page = space.mmap(MmapRequest::anonymous(4096, prot)).unwrap();
    let mut file = File([0; 33]);
    for (id, value) in [(V0, 4120), (A0, 1), (5, 2), (6, 3), (A3, 4), (29, page)] {
        file.set(id, value);
    }
    space
        .write(page + 16, &[0, 0, 0, 5, 0, 0, 0, 6, 0x80, 0, 0, 7])
        .unwrap();
    let (number, args) = FACTS.registers.call(&mut file, &space, TestAbi.abi());
    assert_eq!((number, args), (4120, [1, 2, 3, 4, 5, 6, 0x8000_0007, 0]));
    // The fifth argument is the last word of the page.
    file.set(29, page + 4096 - 20);
    space.write(page + 4092, &[0, 0, 0, 9]).unwrap();
    let (_, args) = FACTS.registers.call(&mut file, &space, TestAbi.abi());
    assert_eq!(args, [1, 2, 3, 4, 9, 0, 0, 0]);
}

#[test]
fn errors_by_a_flag_and_a_second_result() {
    let mut file = File([0; 33]);
    TestAbi.set_result(&mut file, -i64::from(libc::EBADF), None);
    assert_eq!((file.get(V0), file.get(A3)), (9, 1));
    TestAbi.set_result(&mut file, 5, Some(6));
    assert_eq!((file.get(V0), file.get(V1), file.get(A3)), (5, 6, 0));
}

#[test]
fn clone_has_four_orders() {
    // arch/Kconfig's texts on CLONE_BACKWARDS: (f)lags, (s)tack, (z) its size, (p)arent's and (c)hild's tid, (t)ls.
    let orders = [
        (CloneOrder::PLAIN, b"fspct-"),
        (CloneOrder::BACKWARDS, b"fsptc-"),
        (CloneOrder::BACKWARDS2, b"sfpct-"),
        (CloneOrder::BACKWARDS3, b"fszpct"),
    ];
    for (order, letters) in orders {
        let mut values = letters.map(u64::from);
        order.arrange(&mut values);
        assert_eq!(values[..5], b"fspct".map(u64::from), "{order:?}");
        let mut values = order.of_plain([1, 2, 3, 4, 5]);
        order.arrange(&mut values);
        assert_eq!(values[..5], [1, 2, 3, 4, 5], "{order:?}");
    }
}

#[test]
fn audit_architectures() {
    // include/uapi/linux/audit.h: AUDIT_ARCH_MIPS is EM_MIPS alone.
    assert_eq!(TestAbi.audit_arch(), 8);
}
