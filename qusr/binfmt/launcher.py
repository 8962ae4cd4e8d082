"""The executable that is registered, `qusr-interp`.

Either it is `qusr-static`, which needs nothing else, or the launcher (native/launcher), a part of
the extension, with what it is to execute written in: this installation's Python. The launcher's
configuration is lists of strings: the number of ways, then for each the command, the files that
must be there, and the extension if it is to be preloaded by a variable.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from qusr import _native, arch, installed
from qusr.binfmt import BinfmtError

_MARK = b"qusr-interp:conf"
_SPACE = 16384
_NAME = "qusr-interp"
_STATIC = "qusr-static"

#: Packages that run a guest.
_PACKAGES = ("qusr", "elftools", "unicorn", "capstone")


def default_path() -> Path:
    """Where the launcher goes when it is installed."""
    prefix = Path("/usr/local" if sys.prefix in ("/usr", "") else sys.prefix)
    return prefix / "libexec" / "qusr" / _NAME


def static() -> Path | None:
    """The executable that has all in it: this one, or the one installed with the commands."""
    if installed.FOLDER is None:
        return Path(installed.EXECUTABLE)
    path = Path(sys.prefix, "bin", _STATIC)
    return path if path.is_file() else None


def in_place() -> Path | None:
    """`qusr-static` where it is, if it has a path of its own."""
    path = static()
    if path is None:
        return None
    real = Path(os.path.realpath(path))
    return real if real.is_file() and real.samefile(path) else None


def is_ours(interpreter: str) -> bool:
    """Whether an interpreter is one that this installation would write."""
    try:
        data = Path(interpreter).read_bytes()
    except OSError:
        return interpreter == str(default_path())
    return any(data == executable(dynamic=dynamic) for dynamic in kinds())


def without_unicorn(guests: list[str]) -> list[str]:
    """Those whose programs run on this machine where Unicorn's library is not to be found."""
    variants = {guest.name: list(guest.abis) for guest in arch.guests()}

    def is_native(guest: str) -> bool:
        machines = [_native.Machine(guest, variant) for variant in variants[guest]]
        return all(machine.native_options is not None for machine in machines)

    return [guest for guest in guests if is_native(guest)]


def kinds() -> list[bool]:
    """Which executables can be had here; True: the one that needs this installation's files."""
    return [False] * (static() is not None) + [True] * (installed.FOLDER is not None)


class Host:
    """The files of the host that a start of qusr needs, with their real paths."""

    def __init__(self) -> None:
        base: str = getattr(sys, "_base_executable", "") or sys.executable
        self.python = Path(base).resolve()
        if not self.python.is_file():
            raise BinfmtError("Python does not know its own executable's path")
        self.stdlib = Path(os.__file__).resolve().parent
        self.extensions = _extensions_folder(self.stdlib)
        self.packages = _packages()
        self.libraries, self.linker = _libraries(self.python)

    def folders(self) -> list[Path]:
        """What to show in a root; none is inside another."""
        wanted = [self.python, self.stdlib, self.extensions, self.linker, *self.libraries]
        for folder in self.packages:
            wanted += [folder / name for name in _PACKAGES if (folder / name).is_dir()]
        kept: list[Path] = []
        for path in sorted(set(wanted)):
            if not any(path.is_relative_to(other) for other in kept):
                kept.append(path)
        return kept


def _extensions_folder(stdlib: Path) -> Path:
    """Where Python's own extension modules are."""
    for entry in sys.path:
        if entry.endswith("lib-dynload"):
            return Path(entry).resolve()
    return stdlib


def _packages() -> list[Path]:
    """The folders of sys.path that have the packages."""
    assert installed.FOLDER is not None
    found = [Path(installed.FOLDER).resolve().parent]
    for name in _PACKAGES[1:]:
        spec = find_spec(name)
        if spec is not None and spec.origin:
            found.append(Path(spec.origin).resolve().parent.parent)
    return list(dict.fromkeys(found))


def _libraries(python: Path) -> tuple[list[Path], Path]:
    """Folders of the shared libraries in use, and the dynamic linker."""
    from importlib import import_module

    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    # What starts load, so that it shows in the maps below.
    for name in ("zlib", "ctypes"):
        import_module(name)
    with python.open("rb") as file:
        linkers = [
            Path(segment.get_interp_name()).resolve()
            for segment in ELFFile(file).iter_segments("PT_INTERP")
            if isinstance(segment, InterpSegment)
        ]
    if not linkers:
        raise BinfmtError(f"{python}: a static Python cannot load qusr")
    folders = set()
    for row in Path("/proc/self/maps").read_text().splitlines():
        path = row.partition("/")
        file_path = Path(path[1] + path[2])
        if ".so" in file_path.name and "lib-dynload" not in file_path.parts:
            folders.add(file_path.resolve().parent)
    for folder in _packages():
        folders = {path for path in folders if not _inside(path, folder)}
    return sorted(folders), linkers[0]


def _inside(path: Path, folder: Path) -> bool:
    return any(path.is_relative_to(folder / name) for name in _PACKAGES)


def _code(paths: list[str], call: str) -> str:
    # The extension recognises the first line.
    return (
        "#qusr-start binfmt\n"
        f"import sys; sys.path += {paths!r}; from qusr import interp; interp.main({call})"
    )


def _preload(extension: str) -> list[str]:
    """Options of the dynamic linker for the extension; it has them since glibc 2.30."""
    library, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    major, _, minor = version.partition(".")
    if library != "glibc" or (int(major), int(minor.partition(".")[0])) < (2, 30):
        return []
    # ld.so(8): these are between names, or begin a token.
    return [] if set(extension) & set(" :$") else ["--preload", extension]


def _configuration() -> bytes:
    host = Host()
    inside = installed.CARRIED
    packages = [str(path) for path in host.packages]
    extension = f"{packages[0]}/qusr/_native.abi3.so"
    # Isolated: PYTHONPATH and its like are the guest's.
    options = ["-I", "-S", "-c"]
    direct = [str(host.python), *options, _code(packages, "")]
    libraries = ":".join(f"{inside}{path}" for path in host.libraries)
    carried = [
        f"{inside}{host.linker}",
        "--library-path", libraries, *_preload(inside + extension),
        f"{inside}{host.python}", *options,
        _code([f"{inside}{path}" for path in packages], "carried=True"),
    ]  # fmt: skip
    package = f"{packages[0]}/qusr/interp.py"
    ways = [
        (carried, [f"{inside}{host.python}", f"{inside}{package}"], []),
        (direct, [str(host.stdlib / "os.py"), package], [extension]),
    ]
    words = ["1", str(len(ways))]
    for way in ways:
        for strings in way:
            words += [str(len(strings)), *strings]
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def executable(*, dynamic: bool) -> bytes:
    """What is registered; `dynamic`: the launcher, set up for this installation."""
    if not dynamic:
        path = static()
        assert path is not None
        return path.read_bytes()
    template, text = bytes(_native.launcher()), _configuration()
    if len(text) > _SPACE:
        raise BinfmtError("the paths of Python and its libraries are too long for the launcher")
    if template.count(_MARK) != 1:
        raise AssertionError("the launcher has no place for its configuration")
    at = template.index(_MARK) + len(_MARK)
    return template[:at] + text.ljust(_SPACE, b"\0") + template[at + _SPACE :]


def write(path: Path, *, dynamic: bool) -> None:
    """Puts the executable at `path`."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Renamed into place: the old one may be running.
        new.write_bytes(executable(dynamic=dynamic))
        new.chmod(0o755)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise BinfmtError(f"{path}: {error.strerror}") from None
