"""What a loader sees of a program, for a person to read: `qusr info PROGRAM`.

The program's own headers are the Rust loader's to judge; what is for the dynamic linker (ld.so(8))
is read with pyelftools: libraries, where they are looked for, the build-id.
"""

from __future__ import annotations

import errno
import os
from collections import deque

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from qusr import _native, arch
from qusr.loader import LoadError, Sysroot, found, read_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qusr.arch.base import Guest

#: Where the dynamic linker looks at last; with the multiarch folder below each, as Debian's does.
_DEFAULT = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_CONFIGURATION = "/etc/ld.so.conf"
_STACKS = {
    "default": "the architecture's default",
    "not executable": "not executable",
    "executable": "executable",
}


class Object:
    """A program or library: what of it concerns the dynamic linker.

    Attributes:
        path: on the host.
        needed: the libraries that it names.
        rpath, runpath: folders of its own, without and with DF_RUNPATH's rules.
        build_id: in hexadecimal; "": none.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.needed: list[str] = []
        self.rpath: list[str] = []
        self.runpath: list[str] = []
        self.build_id = ""
        with open(path, "rb") as stream:
            elf = ELFFile(stream)
            self.key = elf["e_machine"], elf.elfclass, elf.little_endian
            for segment in elf.iter_segments():
                if isinstance(segment, DynamicSegment):
                    self._read_dynamic(segment)
                elif isinstance(segment, NoteSegment):
                    for note in segment.iter_notes():
                        if note["n_type"] == "NT_GNU_BUILD_ID":
                            self.build_id = str(note["n_desc"])

    def _read_dynamic(self, segment: DynamicSegment) -> None:
        for tag in segment.iter_tags():
            match tag.entry.d_tag:
                case "DT_NEEDED":
                    self.needed.append(str(getattr(tag, "needed", "")))
                case "DT_RPATH":
                    self.rpath = str(getattr(tag, "rpath", "")).split(":")
                case "DT_RUNPATH":
                    self.runpath = str(getattr(tag, "runpath", "")).split(":")


class Search:
    """Finds libraries as the dynamic linker of a guest does, in its sysroot."""

    def __init__(self, sysroot: Sysroot, guest: Guest | None, environ: Mapping[str, str]) -> None:
        self._sysroot = sysroot
        self._triplets = guest.triplets if guest is not None else ()
        self._environment = [part for part in environ.get("LD_LIBRARY_PATH", "").split(":") if part]
        self._configured = list(self._read_configuration(_CONFIGURATION, 0))

    def _read_configuration(self, path: str, depth: int) -> Iterator[str]:
        """The folders that ld.so.conf(5) names; it may include others."""
        try:
            with open(self._sysroot.resolve(path), encoding="utf-8", errors="surrogateescape") as f:
                lines = f.read().splitlines()
        except OSError:
            return
        for line in lines:
            words = line.partition("#")[0].split()
            if words[:1] == ["include"] and depth < 8:
                for pattern in words[1:]:
                    for name in self._matching(pattern):
                        yield from self._read_configuration(name, depth + 1)
            elif words and words[0].startswith("/"):
                yield words[0]

    def _matching(self, pattern: str) -> list[str]:
        from fnmatch import fnmatch

        folder, _, last = pattern.rpartition("/")
        try:
            names = os.listdir(self._sysroot.resolve(folder))
        except OSError:
            return []
        return sorted(f"{folder}/{name}" for name in names if fnmatch(name, last))

    def _folders(self, of: Object, above: list[Object]) -> Iterator[str]:
        """Where ld.so looks for a library that `of` needs, which those `above` have loaded."""
        if not of.runpath:
            for one in (of, *above):
                yield from (self._expanded(folder, one) for folder in one.rpath)
        yield from self._environment
        yield from (self._expanded(folder, of) for folder in of.runpath)
        yield from self._configured
        for folder in _DEFAULT:
            yield from (f"{folder}/{triplet}" for triplet in self._triplets)
            yield folder

    def _expanded(self, folder: str, of: Object) -> str:
        origin = os.path.dirname(self._sysroot.guest_path(of.path))
        for name, value in (("ORIGIN", origin), ("LIB", "lib")):
            folder = folder.replace(f"${{{name}}}", value).replace(f"${name}", value)
        return folder

    def find(self, name: str, of: Object, above: list[Object]) -> Object | None:
        """The library `name` that `of` needs."""
        if "/" in name:
            return self._fitting(name, of)
        for folder in self._folders(of, above):
            library = self._fitting(f"{folder}/{name}", of)
            if library is not None:
                return library
        return None

    def _fitting(self, path: str, of: Object) -> Object | None:
        """The library at a guest's path; ld.so passes over those for other machines."""
        try:
            library = Object(self._sysroot.resolve(path))
        except (OSError, ELFError):
            return None
        return library if library.key == of.key else None


def libraries(program: Object, search: Search) -> list[tuple[str, Object | None, Object]]:
    """All libraries of a program, breadth first: name, library (None: missing), who needs it."""
    seen: dict[str, Object | None] = {}
    out: list[tuple[str, Object | None, Object]] = []
    queue: deque[tuple[Object, list[Object]]] = deque([(program, [])])
    while queue:
        of, above = queue.popleft()
        for name in of.needed:
            if name in seen:
                continue
            library = seen[name] = search.find(name, of, above)
            out.append((name, library, of))
            if library is not None:
                queue.append((library, [of, *above]))
    return out


def abi_flags(plan: _native.Plan, guest: Guest | None) -> str:
    """What e_flags say, where there is something to say."""
    known = guest.flag_names if guest is not None else ()
    words = [name for mask, value, name in known if plan.flags & mask == value]
    return f"{plan.flags:#x}" + (f" ({', '.join(words)})" if words else "")


def describe(
    path: str, asked: tuple[str, str] | None, environ: Mapping[str, str]
) -> tuple[str, bool]:
    """The text about a program, and whether its loader would find all that it needs.

    `asked` is the sysroot that was asked for, and by what (`loader.explicit`).

    Raises:
        LoadError: it is no program.
    """
    root = Sysroot((asked[0] if asked else "") or None)
    host = root.resolve(path)
    plan = read_plan(host)
    guest = arch.guest(plan.guest) if plan.guest else None
    interp = None if plan.interp is None else os.fsdecode(plan.interp)
    why = f"by {asked[1]}" if asked else "none"
    if asked is None and guest is not None:
        root = Sysroot(found(guest.triplets, interp))
        why = "found" if root else "none"
    try:
        program = Object(host)
    except (ELFError, OSError) as error:
        raise LoadError(f"{path}: {error}", errno.ENOEXEC) from None
    title = _native.machine_title(plan.machine, plan.bits, plan.big_endian, plan.flags)
    rows = [
        ("program", path),
        ("machine", f"{title}: {f'qusr-{guest.name}' if guest else 'no guest'} runs it"),
        ("ABI flags", abi_flags(plan, guest)),
        ("type", "position-independent" if plan.is_dyn else "at fixed addresses"),
        ("stack", _STACKS[plan.stack]),
        ("build-id", program.build_id or "none"),
        ("sysroot", f"{root.root or '/'} ({why})"),
    ]
    whole = guest is not None
    if interp is None:
        rows.append(("interpreter", "none: it is static"))
    else:
        there = root.resolve(interp)
        if os.path.exists(there):
            rows.append(("interpreter", f"{interp} => {there}"))
        else:
            rows.append(("interpreter", f"{interp} => not found"))
            whole = False
    for name, library, of in libraries(program, Search(root, guest, environ)):
        by = "" if of is program else f" (for {os.path.basename(of.path)})"
        rows.append(("needs", f"{name} => {library.path if library else 'not found'}{by}"))
        whole = whole and library is not None
    return "".join(f"{f'{key}:':<13}{text}\n" for key, text in rows), whole
