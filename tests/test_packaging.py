"""A wheel out of the tree, and one out of a source distribution: do their commands start?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import REPO

MATURIN = Path(sys.executable).parent / "maturin"
#: Debian's names are those with an hf or a 64.
COMMANDS = {
    "qusr", "qusr-aarch64", "qusr-aarch64_be", "qusr-arm", "qusr-arm64", "qusr-armeb",
    "qusr-armel", "qusr-armhf", "qusr-binfmt", "qusr-m68k", "qusr-mips", "qusr-mips64",
    "qusr-mips64el", "qusr-mipsel", "qusr-mipsn32", "qusr-mipsn32el", "qusr-powerpc", "qusr-ppc",
    "qusr-riscv32", "qusr-riscv64", "qusr-s390x",
    "qusr-amd64", "qusr-x86_64", "qusr-i386", "qusr-i486", "qusr-i586", "qusr-i686",
}  # fmt: skip
STATIC = "qusr-static"
DATA = "qusr-0.1.0.data/scripts/"

# Elsewhere the extension would have to be compiled first, which takes minutes.
pytestmark = pytest.mark.skipif(
    Path(sys.prefix) != REPO / ".venv", reason="needs the environment that 'make build' makes"
)


def maturin(*words: str | Path, cwd: Path = REPO) -> None:
    env = {**os.environ, "CARGO_TARGET_DIR": str(REPO / "native" / "target")}
    run = subprocess.run([MATURIN, *words], cwd=cwd, env=env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def build(folder: Path, out: Path) -> Path:
    """The wheel that maturin makes of a tree."""
    # The interpreter of `make build`: for another one all is compiled again.
    maturin("build", "--release", "-i", sys.executable, "-o", out, cwd=folder)
    (wheel,) = out.glob("*.whl")
    return wheel


def check(wheel: Path, prefix: Path, *, static: bool = False) -> None:
    """Installs a wheel with pip and starts what it has brought. `static`: qusr-static as well."""
    with zipfile.ZipFile(wheel) as archive:
        modes = {
            entry.filename.removeprefix(DATA): entry.external_attr >> 16
            for entry in archive.infolist()
            if entry.filename.startswith(DATA)
        }
    commands = COMMANDS | ({STATIC} if static else set())
    assert set(modes) == commands
    assert all(mode & 0o111 == 0o111 for mode in modes.values()), modes
    # An environment without the packages that qusr needs: not all that it does needs them.
    venv.create(prefix, symlinks=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        prefix,
    ]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    for name in commands:
        done = subprocess.run(
            [prefix / "bin" / name, "-h"], capture_output=True, text=True, check=False,
            env={**emulators.ENVIRONMENT, **emulators.QUSR_ENVIRONMENT}, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, (name, done.stderr)
        assert name.removesuffix("-static") in done.stdout


def test_wheel(tmp_path: Path) -> None:
    # Where `make static` has left it.
    static = (REPO / "commands" / "scripts" / STATIC).exists()
    check(build(REPO, tmp_path), tmp_path / "installed", static=static)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(REPO, tmp_path_factory.mktemp("wheel"))


def check_commands(folder: Path, *, packages: bool = False, is_own: bool = True) -> None:
    """A guest runs, and the other commands find what belongs to them.

    `packages`: those that qusr needs are there. `is_own`: the folder is one of an environment.
    """
    nothing = {"PATH": "/usr/bin:/bin", "QUSR_CACHE_DIR": ""}

    def run(*words: str | Path) -> str:
        done = subprocess.run(words, env=nothing, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout + done.stderr

    hello = REPO / "testbins" / "prebuilt" / "hello-aarch64"
    assert run(folder / "qusr-aarch64", hello) == "Hello from aarch64!\n"
    assert "exit_group(0)" in run(folder / "qusr", "-strace", hello)
    assert run(folder / "qusr-binfmt", "status").startswith("binfmt_misc: ")
    registered = run(folder / "qusr-binfmt", "print", "arm")
    if is_own:
        assert f"{folder.resolve().parent}/libexec/qusr/qusr-interp" in registered
    if packages:
        assert "AArch64" in run(folder / "qusr", "info", hello)


def pip_install(*words: str | Path, by: str = sys.executable, **env: str) -> None:
    """`words`: which environment, what and how. pip takes away what the one of `by` has."""
    pip = [by, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(
        [*pip, "-q", "--no-deps", "--no-index"], env={**os.environ, **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_copied_and_a_moved_environment(wheel: Path, tmp_path: Path) -> None:
    """With blanks in the paths, too; pip has written the first place's path into scripts."""
    first = tmp_path / "in blanks" / "first"
    venv.create(first, symlinks=True)
    pip_install("--python", first, "install", wheel)
    check_commands(first / "bin")
    shutil.copytree(first, tmp_path / "copied", symlinks=True)
    moved = tmp_path / "moved: née $HOME"
    first.rename(moved)
    for place in (tmp_path / "copied", moved):
        check_commands(place / "bin")
    links = tmp_path / "links"
    links.mkdir()
    for name in ("qusr", "qusr-aarch64", "qusr-binfmt"):
        (links / name).symlink_to(moved / "bin" / name)
    done = subprocess.run([links / "qusr-binfmt", "status"], capture_output=True, check=False)
    assert done.stdout.startswith(b"binfmt_misc: "), done.stderr


def test_installed_for_a_user(wheel: Path, tmp_path: Path) -> None:
    """`pip install --user`: beside no Python, which does not know the folder here either."""
    pip_install(
        "install", "--user", "--break-system-packages", wheel,
        by=getattr(sys, "_base_executable", sys.executable), PYTHONUSERBASE=str(tmp_path / "base"),
    )  # fmt: skip
    check_commands(tmp_path / "base" / "bin", is_own=False)


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_tools_that_install_commands(wheel: Path, tmp_path: Path, tool: str) -> None:
    """They make an environment, and links to its commands; what qusr needs comes from PyPI."""
    venv.create(tmp_path / "tool", symlinks=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", tmp_path / "tool", "install", "-q", tool],
        check=True,
    )
    place, commands = tmp_path / "place", tmp_path / "bin"
    env = dict.fromkeys(("PIPX_HOME", "UV_TOOL_DIR"), str(place))
    env |= dict.fromkeys(("PIPX_BIN_DIR", "UV_TOOL_BIN_DIR"), str(commands))
    words = {"pipx": ["install"], "uv": ["tool", "install", "--python", sys.executable]}
    done = subprocess.run(
        [tmp_path / "tool/bin" / tool, *words[tool], wheel],
        env={**os.environ, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check_commands((commands / "qusr").resolve().parent, packages=True)
    done = subprocess.run(
        [commands / "qusr-binfmt", "status"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("binfmt_misc: "), done.stderr


@pytest.mark.parametrize(
    ("version", "says"),
    [("1.63.0", "cargo is 1.63.0"), ("1.87.2", "cargo is 1.87.2"), (None, "there is no cargo")],
)
def test_an_old_rust_or_none_is_told_in_one_line(
    version: str | None, says: str, tmp_path: Path
) -> None:
    """Debian 12's cargo is 1.63."""
    cargo = tmp_path / "cargo"
    if version is not None:
        cargo.write_text(f"#!/bin/sh\necho 'cargo {version} (abc 2022-01-01)'\n")
        cargo.chmod(0o755)
    command = [REPO / "tools/need-rust"]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CARGO": str(cargo)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert says in done.stderr and "cargo-web" in done.stderr
    cargo.write_text("#!/bin/sh\necho 'cargo 1.100.0 (abc 2027-01-01)'\n")
    cargo.chmod(0o755)
    assert subprocess.run(command, env=env, check=False).returncode == 0


def test_the_build_backend_asks_for_rust_first(tmp_path: Path) -> None:
    """As pip sees it: one line, and no Rust fetched behind one's back."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    for name in ("dirname", "sed"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    code = "import qusr_backend as b; print(b.get_requires_for_build_wheel())"
    env = {"PATH": str(tmp_path), "PYTHONPATH": str(REPO / "tools/backend")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == "", done.stderr
    assert done.stderr.count("\n") == 1 and "there is no cargo: apt install" in done.stderr


@pytest.mark.slow
def test_wheel_out_of_a_source_distribution(tmp_path: Path) -> None:
    maturin("sdist", "-o", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "sources", filter="data")
    (folder,) = (tmp_path / "sources").iterdir()
    check(build(folder, tmp_path / "dist"), tmp_path / "installed")


def _with_extension(extension: Path, folder: Path) -> Path:
    """A copy of the package with another extension: the command for aarch64 in it."""
    packages = folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    shutil.copytree(REPO / "qusr", packages / "qusr", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(extension, packages / "qusr" / "_native.abi3.so")
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to(Path(sys.executable).resolve())
    return Path(shutil.copy(REPO / "commands/scripts/qusr-aarch64", folder / "bin"))


@pytest.mark.slow
def test_the_extension_of_another_linker(tmp_path: Path) -> None:
    """GNU's, which a Rust of Debian has; Rust's own is LLVM's. Often used code is together."""
    target, made = REPO / "native/target", tmp_path / "_native.so"
    command = ["cargo", "rustc", "--release", "-q", "-p", "qusr-native", "--lib", "--"]
    command += ["-C", "link-arg=-fuse-ld=bfd", "-C", f"link-arg=-o{made}"]
    env = {
        **os.environ, "CARGO_TARGET_DIR": str(target), "PYO3_PYTHON": sys.executable,
        # How fast it is does not matter, and this way it is done in a few minutes.
        "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
        "CARGO_PROFILE_RELEASE_STRIP": "none",
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=REPO / "native", env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        ["readelf", "-SW", "-p", ".comment", made], capture_output=True, text=True, check=True
    ).stdout
    assert "LLD" not in shown, shown
    sizes = {
        fields[0]: int(fields[4], 16)
        for fields in (line.partition("]")[2].split() for line in shown.splitlines())
        if fields and fields[0].startswith(".text")
    }
    assert sizes[".text"] / 10 < sizes[".text.usual"] < sizes[".text"], sizes
    hello = REPO / "testbins/prebuilt/hello-aarch64"
    for words in ([], ["-d", "in_asm", "-D", tmp_path / "log"], ["-strace"]):
        done = subprocess.run(
            [_with_extension(made, tmp_path / f"p{len(words)}"), *words, hello],
            env={"PATH": "/usr/bin:/bin", "QUSR_CACHE_DIR": ""},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "Hello from aarch64!\n"), done.stderr


@pytest.mark.slow
def test_beside_pwntools(wheel: Path, tmp_path: Path) -> None:
    """pwntools wants another Unicorn: pip says so, the commands do not."""
    place = tmp_path / "both"
    venv.create(place, symlinks=True)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    pip += ["--python", place]
    for package in ("pwntools", wheel):
        done = subprocess.run(
            [*pip, "install", "-q", package], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    check_commands(place / "bin", packages=True)
    hello = REPO / "testbins/prebuilt/hello-aarch64"
    for words in ([place / "bin/qusr-aarch64"], [place / "bin/qusr", "--core", "unicorn"]):
        done = subprocess.run(
            [*words, hello], env={"PATH": "/usr/bin:/bin", "QUSR_CACHE_DIR": ""},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "Hello from aarch64!\n", "")
    code = "import pwn, qusr; print(pwn.p32(1))"
    done = subprocess.run(
        [place / "bin/python3", "-W", "default", "-c", code],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PWNLIB_NOTERM": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "qusr" not in done.stderr, done.stderr
