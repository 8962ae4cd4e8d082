//! Socket messages: struct msghdr, its control messages, and socket addresses.

use super::convert::{BAD_POINTER, get_int, host_pointer, put_int};
use super::exec::{Call, UIO_MAXIOV};
use super::table::Direction;
use crate::abi::GuestAbi;

/// The buffers behind a converted message, for the way back.
#[derive(Clone, Copy)]
pub struct MessageBuffers {
    name: *mut u8,
    control: *mut u8,
    /// The guest's addresses and sizes of both.
    guest_name: u64,
    guest_control: u64,
    guest_control_size: usize,
    direction: Direction,
}

/// Where the fields of struct msghdr lie: name, namelen, iov, iovlen, control,
/// controllen, flags (include/linux/socket.h; struct compat_msghdr).
struct Layout {
    word: usize,
}

impl Layout {
    fn size(&self) -> usize {
        7 * self.word
    }
    fn size_many(&self) -> usize {
        8 * self.word
    }
    fn flags(&self) -> usize {
        6 * self.word
    }
}

/// Control buffers longer than this are refused with ENOBUFS, like those
/// beyond net.core.optmem_max.
const MAX_CONTROL: usize = 1 << 20;

/// The size of the alignment of control messages on this host (`CMSG_ALIGN`).
const HOST_WORD: usize = 8;
const HOST_CMSG: usize = 16;

fn align(size: usize, word: usize) -> usize {
    size.div_ceil(word) * word
}

/// Swaps the multi-byte host-order fields of a socket address of a big-endian guest.
/// `from_guest` says which order the family field is in.
pub fn swap_sockaddr(bytes: &mut [u8], from_guest: bool) {
    if bytes.len() < 2 {
        return;
    }
    let family = if from_guest {
        u16::from_be_bytes([bytes[0], bytes[1]])
    } else {
        u16::from_le_bytes([bytes[0], bytes[1]])
    };
    bytes[..2].reverse();
    let words: &[(usize, usize)] = match i32::from(family) {
        libc::AF_INET6 => &[(24, 4)],
        libc::AF_NETLINK => &[(4, 4), (8, 4)],
        libc::AF_PACKET => &[(4, 4), (8, 2)],
        libc::AF_VSOCK => &[(4, 4), (8, 4)],
        _ => &[],
    };
    for (at, size) in words {
        if let Some(field) = bytes.get_mut(*at..at + size) {
            field.reverse();
        }
    }
}

/// A socket address for the kernel.
pub(super) fn sockaddr_in(call: &mut Call<'_>, address: u64, size: u32) -> u64 {
    if address == 0 || !call.abi.big_endian || size as usize > 4096 {
        return host_pointer(call.env.space, address);
    }
    let bytes = call.scratch.slice(size as usize);
    if call.env.space.read(address, bytes).is_err() {
        return BAD_POINTER;
    }
    swap_sockaddr(bytes, true);
    bytes.as_ptr() as u64
}

/// Converts the msghdr at `address`; None when it cannot be read.
pub(super) fn prepare(
    call: &mut Call<'_>,
    address: u64,
    direction: Direction,
) -> Result<Option<(*mut libc::msghdr, MessageBuffers)>, i32> {
    let host = call
        .scratch
        .alloc(size_of::<libc::msghdr>())
        .cast::<libc::msghdr>();
    Ok(fill(call, address, direction, host)?.map(|buffers| (host, buffers)))
}

fn fill(
    call: &mut Call<'_>,
    address: u64,
    direction: Direction,
    host: *mut libc::msghdr,
) -> Result<Option<MessageBuffers>, i32> {
    let abi = call.abi;
    let layout = Layout {
        word: abi.word_bytes(),
    };
    let guest = call.scratch.slice(layout.size());
    if call.env.space.read(address, guest).is_err() {
        return Ok(None);
    }
    let field = |index: usize, size: usize| {
        let at = index * layout.word;
        get_int(&guest[at..at + size], abi.big_endian, false)
    };
    let (name, name_size) = (field(0, layout.word), field(1, 4) as u32);
    let (iov, iov_count) = (field(2, layout.word), field(3, layout.word) as usize);
    let (control, control_size) = (field(4, layout.word), field(5, layout.word) as usize);
    let flags = field(6, 4) as i32;
    if iov_count > UIO_MAXIOV {
        return Err(libc::EMSGSIZE);
    }
    if control_size > MAX_CONTROL && !direction.writes() {
        return Err(libc::ENOBUFS);
    }
    let host_iov = call.iovec(iov, iov_count).0;
    let host_name = if direction.writes() && abi.big_endian && name != 0 {
        call.scratch.alloc((name_size as usize).min(4096)) as u64
    } else {
        sockaddr_in(call, name, name_size)
    };
    let (host_control, host_control_size) = if control == 0 || control_size == 0 {
        (0, 0)
    } else if same_control_layout(abi) {
        (host_pointer(call.env.space, control), control_size)
    } else if direction.writes() {
        // Room for the guest's messages in the host's wider form.
        let size = control_size.min(MAX_CONTROL) * 2 + 64;
        (call.scratch.alloc(size) as u64, size)
    } else {
        let bytes = call.scratch.slice(control_size);
        if call.env.space.read(control, bytes).is_err() {
            return Err(libc::EFAULT);
        }
        let converted = control_to_host(bytes, abi)?;
        let copy = call.scratch.slice(converted.len());
        copy.copy_from_slice(&converted);
        (copy.as_ptr() as u64, copy.len())
    };
    // SAFETY: `host` is scratch memory for one msghdr, zeroed, which nothing else refers to.
    let header = unsafe { &mut *host };
    header.msg_name = host_name as *mut libc::c_void;
    header.msg_namelen = name_size;
    header.msg_iov = host_iov as *mut libc::iovec;
    header.msg_iovlen = iov_count;
    header.msg_control = host_control as *mut libc::c_void;
    header.msg_controllen = host_control_size;
    header.msg_flags = flags;
    Ok(Some(MessageBuffers {
        name: host_name as *mut u8,
        control: host_control as *mut u8,
        guest_name: name,
        guest_control: control,
        guest_control_size: control_size,
        direction,
    }))
}

/// Whether the guest's control messages are laid out as the host's.
fn same_control_layout(abi: GuestAbi) -> bool {
    abi.word_bits == 64 && !abi.big_endian && abi.numbers.is_none()
}

/// Writes the kernel's answer into the guest's msghdr.
pub(super) fn write_back(
    call: &mut Call<'_>,
    address: u64,
    host: *mut libc::msghdr,
    buffers: &MessageBuffers,
) -> Result<(), i32> {
    if !buffers.direction.writes() {
        return Ok(());
    }
    let abi = call.abi;
    let word = abi.word_bytes();
    // SAFETY: `host` was allocated by prepare and lives until the next call.
    let header = unsafe { &mut *host };
    let mut control_size = header.msg_controllen;
    if buffers.guest_control_size > 0 && buffers.guest_control != 0 && !same_control_layout(abi) {
        // SAFETY: the kernel filled msg_controllen bytes of the buffer that fill allocated.
        let bytes = unsafe { std::slice::from_raw_parts(buffers.control, control_size) };
        let (converted, truncated) = control_to_guest(bytes, abi, buffers.guest_control_size);
        if truncated {
            header.msg_flags |= libc::MSG_CTRUNC;
        }
        call.write(buffers.guest_control, &converted)?;
        control_size = converted.len();
    }
    if abi.big_endian && buffers.guest_name != 0 && header.msg_namelen > 0 {
        // SAFETY: fill allocated at least the guest's msg_namelen bytes (at most 4096).
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(buffers.name, header.msg_namelen.min(4096) as usize)
        };
        swap_sockaddr(bytes, false);
        call.write(buffers.guest_name, bytes)?;
    }
    // Only msg_namelen, msg_controllen and msg_flags are the kernel's to write.
    let put = |at: usize, size: usize, value: u64| {
        let mut bytes = [0; 8];
        put_int(&mut bytes[..size], abi.big_endian, value);
        call.write(address + at as u64, &bytes[..size])
    };
    put(word, 4, header.msg_namelen.into())?;
    put(5 * word, word, control_size as u64)?;
    put(Layout { word }.flags(), 4, header.msg_flags as u64)
}

/// Converts an array of struct mmsghdr.
pub(super) fn prepare_many(
    call: &mut Call<'_>,
    address: u64,
    count: usize,
    direction: Direction,
) -> Result<Option<*mut libc::mmsghdr>, i32> {
    let step = Layout {
        word: call.abi.word_bytes(),
    }
    .size_many() as u64;
    let size = size_of::<libc::mmsghdr>();
    let host = call
        .scratch
        .alloc(size * count.max(1))
        .cast::<libc::mmsghdr>();
    let records = size_of::<MessageBuffers>() * count.max(1);
    let buffers = call.scratch.alloc(records + 8).cast::<MessageBuffers>();
    for index in 0..count {
        // SAFETY: both arrays have `count` elements.
        let (message, record) = unsafe { (host.add(index), buffers.add(index)) };
        // SAFETY: as above; msg_hdr is the first field of mmsghdr.
        let header = unsafe { &raw mut (*message).msg_hdr };
        match fill(call, address + index as u64 * step, direction, header) {
            // SAFETY: `record` is one element of the scratch array.
            Ok(Some(filled)) => unsafe { record.write(filled) },
            // An unreadable or bad later message ends the batch when it is reached.
            Ok(None) | Err(_) if index > 0 => {
                // SAFETY: `header` points to a zeroed msghdr.
                unsafe { (*header).msg_iov = BAD_POINTER as *mut libc::iovec };
                // SAFETY: as above.
                unsafe { (*header).msg_iovlen = 1 };
                break;
            }
            Ok(None) => return Ok(None),
            Err(errno) => return Err(errno),
        }
    }
    // The records are found again from the array: they follow it by this pointer.
    call.message_records = buffers;
    Ok(Some(host))
}

/// Writes `count` answered messages back.
pub(super) fn write_back_many(
    call: &mut Call<'_>,
    address: u64,
    host: *mut libc::mmsghdr,
    count: usize,
) -> Result<(), i32> {
    let layout = Layout {
        word: call.abi.word_bytes(),
    };
    for index in 0..count {
        let at = address + (index * layout.size_many()) as u64;
        // SAFETY: prepare_many filled at least `count` messages and records.
        let (message, record) =
            unsafe { (host.add(index), call.message_records.add(index).read()) };
        // SAFETY: as above.
        write_back(call, at, unsafe { &raw mut (*message).msg_hdr }, &record)?;
        let mut bytes = [0; 4];
        // SAFETY: as above.
        put_int(
            &mut bytes,
            call.abi.big_endian,
            unsafe { (*message).msg_len }.into(),
        );
        call.write(at + layout.size() as u64, &bytes)?;
    }
    Ok(())
}

/// How a control message's data is laid out: integers of this size, or bytes.
/// For 32-bit guests the old timestamps have other sizes on both sides.
fn element_size(level: i32, kind: i32) -> usize {
    /// The y2038-safe forms (asm-generic/socket.h).
    const SO_TIMESTAMP_NEW: i32 = 63;
    const SO_TIMESTAMPING_NEW: i32 = 65;
    match (level, kind) {
        (libc::SOL_SOCKET, SO_TIMESTAMP_NEW..=SO_TIMESTAMPING_NEW) => 8,
        (libc::SOL_SOCKET, _) | (libc::SOL_UDP, _) => 4,
        (libc::IPPROTO_IP, libc::IP_TTL) | (libc::SOL_IPV6, libc::IPV6_HOPLIMIT) => 4,
        (libc::SOL_IPV6, libc::IPV6_TCLASS) => 4,
        _ => 1,
    }
}

/// The old timestamps hold two, or three times two, `long`s.
fn is_old_timestamp(level: i32, kind: i32) -> bool {
    level == libc::SOL_SOCKET
        && [
            libc::SO_TIMESTAMP,
            libc::SO_TIMESTAMPNS,
            libc::SO_TIMESTAMPING,
        ]
        .contains(&kind)
}

/// struct sock_extended_err, which begins with an errno (linux/errqueue.h).
fn is_extended_error(level: i32, kind: i32) -> bool {
    [
        (libc::SOL_IP, libc::IP_RECVERR),
        (libc::SOL_IPV6, libc::IPV6_RECVERR),
    ]
    .contains(&(level, kind))
}

fn swapped(data: &[u8], level: i32, kind: i32, abi: GuestAbi) -> Vec<u8> {
    let mut copy = data.to_vec();
    if abi.big_endian {
        match (level, kind) {
            // int, then addresses in network order.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if copy.len() >= 4 => copy[..4].reverse(),
            (libc::SOL_IPV6, libc::IPV6_PKTINFO) if copy.len() >= 20 => copy[16..20].reverse(),
            _ => {
                for part in copy.chunks_exact_mut(element_size(level, kind)) {
                    part.reverse();
                }
            }
        }
    }
    copy
}

fn put_header(out: &mut Vec<u8>, word: usize, big: bool, size: usize, level: i32, kind: i32) {
    let mut bytes = [0; 16];
    put_int(&mut bytes[..word], big, size as u64);
    put_int(&mut bytes[word..word + 4], big, level as u32 as u64);
    put_int(&mut bytes[word + 4..word + 8], big, kind as u32 as u64);
    out.extend_from_slice(&bytes[..word + 8]);
}

fn control_to_host(bytes: &[u8], abi: GuestAbi) -> Result<Vec<u8>, i32> {
    let word = abi.word_bytes();
    let head = word + 8;
    let mut out = Vec::with_capacity(bytes.len() * 2);
    let mut at = 0;
    while at + head <= bytes.len() {
        let size = get_int(&bytes[at..at + word], abi.big_endian, false) as usize;
        // CMSG_OK of the kernel.
        if size < head || size > bytes.len() - at {
            return Err(libc::EINVAL);
        }
        let level = get_int(&bytes[at + word..at + word + 4], abi.big_endian, false) as i32;
        let level = abi.level_to_host(level);
        let kind = get_int(&bytes[at + word + 4..at + head], abi.big_endian, false) as i32;
        let data = swapped(&bytes[at + head..at + size], level, kind, abi);
        put_header(
            &mut out,
            HOST_WORD,
            false,
            HOST_CMSG + data.len(),
            level,
            kind,
        );
        out.extend_from_slice(&data);
        out.resize(align(out.len(), HOST_WORD), 0);
        at += align(size, word);
    }
    Ok(out)
}

fn control_to_guest(bytes: &[u8], abi: GuestAbi, room: usize) -> (Vec<u8>, bool) {
    let word = abi.word_bytes();
    let head = word + 8;
    let mut out: Vec<u8> = Vec::new();
    let (mut at, mut truncated) = (0, false);
    while at + HOST_CMSG <= bytes.len() {
        let size = get_int(&bytes[at..at + 8], false, false) as usize;
        if size < HOST_CMSG || size > bytes.len() - at {
            break;
        }
        let level = get_int(&bytes[at + 8..at + 12], false, false) as i32;
        let kind = get_int(&bytes[at + 12..at + 16], false, false) as i32;
        let host_data = &bytes[at + HOST_CMSG..at + size];
        let mut data = if is_old_timestamp(level, kind) {
            let mut data = vec![0; host_data.len() / 8 * word];
            for (from, to) in host_data.chunks_exact(8).zip(data.chunks_exact_mut(word)) {
                put_int(to, abi.big_endian, get_int(from, false, true));
            }
            data
        } else {
            swapped(host_data, level, kind, abi)
        };
        if is_extended_error(level, kind) && abi.numbers.is_some() && data.len() >= 4 {
            let errno = get_int(&host_data[..4], false, true) as i32;
            let errno = abi.errno_to_guest(errno) as u64;
            put_int(&mut data[..4], abi.big_endian, errno);
        }
        let space = room.saturating_sub(out.len());
        if space < head + data.len() {
            truncated = true;
            // put_cmsg cuts the data off; descriptors that do not fit are not installed
            // (net/core/scm.c), so the surplus ones are closed.
            let keep = space.saturating_sub(head);
            let rights = level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS;
            let keep = if rights { keep / 4 * 4 } else { keep };
            if rights {
                for fd in host_data[keep.min(host_data.len())..].chunks_exact(4) {
                    // SAFETY: the kernel has just given this descriptor to us alone.
                    unsafe { libc::close(get_int(fd, false, true) as i32) };
                }
            }
            data.truncate(keep);
            if space < head || rights && data.is_empty() {
                at += align(size, HOST_WORD);
                continue;
            }
        }
        put_header(
            &mut out,
            word,
            abi.big_endian,
            head + data.len(),
            abi.level_to_guest(level),
            kind,
        );
        out.extend_from_slice(&data);
        out.resize(align(out.len(), word).min(room), 0);
        at += align(size, HOST_WORD);
    }
    (out, truncated)
}
