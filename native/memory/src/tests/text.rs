//! `/proc/self/maps` and `smaps`.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

use libc::{EBADF, EINVAL, ENOMEM, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED};

use super::{PAGE, RW, RX, map_at, map_file, request, space};
use crate::{MmapRequest, Prot};

fn lines(text: Vec<u8>) -> Vec<String> {
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn maps_as_the_kernel_prints_them() {
    let space = space();
    let folder = std::env::temp_dir().join(format!("qusr-maps-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    let path = folder.join("lib/a b\nc.so");
    std::fs::write(&path, [0; 8192]).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let meta = file.metadata().unwrap();
    for (addr, prot, offset) in [(0x1_0000, RX, 0), (0x1_1000, Prot::READ, PAGE)] {
        let flags = MAP_PRIVATE | MAP_FIXED;
        let what = MmapRequest {
            addr,
            ..map_file(file.as_raw_fd(), 1, prot, flags, offset)
        };
        space.mmap(what).unwrap();
    }
    space.set_brk(0x2_0000);
    space.brk(0x2_1000);
    map_at(&space, 0x3_0000, 1, Prot::NONE);
    map_at(&space, 0x3_1000, 2, RW);
    space.set_name(0x3_1000, PAGE, "[stack]");
    space
        .set_anon_name(0x3_2000, PAGE, Some(b"my heap"))
        .unwrap();
    let shared = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
    space.mmap(request(0x4_0000, 1, RW, shared)).unwrap();

    let (dev, inode) = (meta.dev(), meta.ino());
    let device = format!("{:02x}:{:02x}", libc::major(dev), libc::minor(dev));
    let shown = format!("{}/lib/a b\\012c.so", folder.display());
    let named = |head: String, name: &str| format!("{head:<73}{name}");
    let text = lines(space.maps_text(b""));
    let expected = [
        named(
            format!("00010000-00011000 r-xp 00000000 {device} {inode} "),
            &shown,
        ),
        named(
            format!("00011000-00012000 r--p 00001000 {device} {inode} "),
            &shown,
        ),
        named("00020000-00021000 rw-p 00000000 00:00 0 ".into(), "[heap]"),
        "00030000-00031000 ---p 00000000 00:00 0 ".into(),
        named("00031000-00032000 rw-p 00000000 00:00 0 ".into(), "[stack]"),
        named(
            "00032000-00033000 rw-p 00000000 00:00 0 ".into(),
            "[anon:my heap]",
        ),
    ];
    assert_eq!(text[..6], expected);
    assert!(
        text[6].starts_with("00040000-00041000 rw-s 00000000 00:01 "),
        "{}",
        text[6]
    );
    assert_eq!(&text[6][73..], "/dev/zero (deleted)");
    let inode = text[6].split_whitespace().nth(4).unwrap();
    assert_ne!(inode, "0");

    let root = folder.to_str().unwrap();
    let inside = lines(space.maps_text(format!("{root}/").as_bytes()));
    assert_eq!(&inside[0][73..], "/lib/a b\\012c.so");
    let other = lines(space.maps_text(format!("{root}/li").as_bytes()));
    assert_eq!(&other[0][73..], shown);
    let moved = folder.join("moved");
    std::fs::rename(&path, &moved).unwrap();
    assert_eq!(&lines(space.maps_text(root.as_bytes()))[0][73..], "/moved");
    std::fs::remove_dir_all(folder).unwrap();
    let gone = format!("{} (deleted)", moved.display());
    assert_eq!(&lines(space.maps_text(b""))[0][73..], gone);
}

/// The same line for the same mapping as the host's kernel prints, but for the address.
#[test]
fn maps_agree_with_the_host() {
    let space = space();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let what = map_file(file.as_raw_fd(), 2, Prot::READ, MAP_PRIVATE, PAGE);
    let at = space.mmap(what).unwrap();
    let host = space.host_ptr(at, PAGE).unwrap() as u64;
    let head = format!("{host:08x}-");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&head)).unwrap();
    let ours = lines(space.maps_text(b"")).remove(0);
    let rest = |line: &str| line.split_once(' ').unwrap().1.trim_end().to_owned();
    let words = |line: &str| rest(line).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&ours), words(line));
    assert_eq!(ours.find('/'), Some(73));
    assert_eq!(line.find('/'), Some(73));
}

#[test]
fn smaps_has_the_numbers_of_the_guests_memory() {
    let space = space();
    map_at(&space, 0x10_0000, 8, RW);
    for page in [0, 1, 5] {
        space.write_u64(0x10_0000 + page * PAGE, 1).unwrap();
    }
    // Two regions of the guest that are one to the host.
    map_at(&space, 0x20_0000, 4, Prot::READ);
    space.mprotect(0x20_2000, 2 * PAGE, RX.bits()).unwrap();
    let text = lines(space.smaps_text(b"").unwrap());
    let starts: Vec<usize> = (0..text.len()).filter(|&n| text[n].contains('-')).collect();
    assert_eq!(starts.len(), 3);
    let value = |index: usize, label: &str| -> u64 {
        let part = &text[starts[index] + 1..];
        let line = part
            .iter()
            .find(|line| line.starts_with(&format!("{label}:")))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(
        (value(0, "Size"), value(0, "Rss"), value(0, "Private_Dirty")),
        (32, 12, 12)
    );
    assert_eq!((value(1, "Size"), value(2, "Size")), (8, 8));
    assert_eq!(value(0, "KernelPageSize"), 4);
    let flags: Vec<&String> = text.iter().filter(|l| l.starts_with("VmFlags:")).collect();
    assert!(
        flags[0].starts_with("VmFlags: rd wr mr mw me "),
        "{}",
        flags[0]
    );
    assert!(
        flags[2].starts_with("VmFlags: rd ex mr mw me "),
        "{}",
        flags[2]
    );

    // Labels and columns are the host's own.
    let host = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let labels = |text: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        text.skip(1)
            .map(|l| l[..l.find(':').unwrap()].to_owned())
            .collect()
    };
    let per_region = starts[1];
    let ours = labels(&mut text[..per_region].iter().map(String::as_str));
    assert_eq!(ours, labels(&mut host.lines().take(per_region)));
    assert_eq!(text[1].len(), host.lines().nth(1).unwrap().len());
}

#[test]
fn names_of_anonymous_memory() {
    let space = space();
    map_at(&space, 0x10_0000, 2, RW);
    map_at(&space, 0x10_3000, 1, RW);
    let name = |addr, len, name: &[u8]| space.set_anon_name(addr, len, Some(name));
    assert_eq!(name(0x10_0000, PAGE, b"a[b"), Err(EINVAL));
    assert_eq!(name(0x10_0000, PAGE, &[b'x'; 80]), Err(EINVAL));
    assert_eq!(name(0x10_0001, PAGE, b"x"), Err(EINVAL));
    assert_eq!(name(0x10_0000, 4 * PAGE, b"x"), Err(ENOMEM));
    assert_eq!(
        space.region_at(0x10_3000).unwrap().anon_name.as_deref(),
        Some("x")
    );
    space.set_anon_name(0x10_0000, PAGE, None).unwrap();
    assert_eq!(space.region_at(0x10_0000).unwrap().anon_name, None);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let at = space
        .mmap(map_file(file.as_raw_fd(), 1, Prot::READ, MAP_PRIVATE, 0))
        .unwrap();
    assert_eq!(name(at, PAGE, b"x"), Err(EBADF));
}
