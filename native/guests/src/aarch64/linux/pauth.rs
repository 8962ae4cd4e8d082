//! prctl(2) of pointer authentication (arch/arm64/kernel/pointer_auth.c).

use crate::cpu::CpuCore;

use super::random::number;
use super::registers;

/// Of addresses (PR_PAC_APIAKEY to PR_PAC_APDBKEY, bits 0-3), and the generic one (PR_PAC_APGAKEY).
pub const KEYS: u32 = 5;
const OF_ADDRESSES: u64 = 0xf;
const GENERIC: u64 = 0x10;

/// PR_PAC_RESET_KEYS: other keys; of no keys: of all.
pub fn reset_keys(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    let [wanted, rest @ ..] = args else {
        return Err(libc::EINVAL);
    };
    let state = core.get(registers::PAUTH);
    let addresses = state & registers::HAS_PACA != 0;
    let generic = state & registers::HAS_PACG != 0;
    let lacks = (wanted & OF_ADDRESSES != 0 && !addresses) || (wanted & GENERIC != 0 && !generic);
    if rest.iter().any(|&n| n != 0)
        || !(addresses || generic)
        || wanted & !(OF_ADDRESSES | GENERIC) != 0
        || lacks
    {
        return Err(libc::EINVAL);
    }
    let mut seed = core.get(registers::SEED);
    for n in (0..KEYS).filter(|n| *wanted == 0 || wanted >> n & 1 != 0) {
        let mut half = || u128::from(number(&mut seed));
        core.set_wide(registers::KEYS + n, half() | half() << 64);
    }
    core.set(registers::SEED, seed);
    Ok(0)
}

/// PR_PAC_SET_ENABLED_KEYS: of some keys, which are in use.
pub fn set_enabled(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    let [of, on, rest @ ..] = args else {
        return Err(libc::EINVAL);
    };
    let state = core.get(registers::PAUTH);
    if state & registers::HAS_PACA == 0
        || rest.iter().any(|&n| n != 0)
        || of & !OF_ADDRESSES != 0
        || on & !of != 0
    {
        return Err(libc::EINVAL);
    }
    core.set(registers::PAUTH, state & !of & OF_ADDRESSES | of & !on);
    Ok(0)
}

/// PR_PAC_GET_ENABLED_KEYS.
pub fn enabled(args: &[u64], core: &mut dyn CpuCore) -> Result<u64, i32> {
    let state = core.get(registers::PAUTH);
    if state & registers::HAS_PACA == 0 || args.iter().any(|&n| n != 0) {
        return Err(libc::EINVAL);
    }
    Ok(!state & OF_ADDRESSES)
}
