"""Programs that need a certain layout of memory, or tagged addresses: sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import Emulator, need

COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "arm": "arm-linux-gnueabihf-gcc"}
TOOLS = Path(__file__).parent.parent / "tools"
CLANG = "/usr/lib/llvm-14/lib/clang/14.0.6"

RACE = """
#include <pthread.h>
#include <stdio.h>
#include <string.h>
static int counter;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int locked;
static void *count(void *unused)
{
        for (int i = 0; i < 1000; i++) {
                if (locked)
                        pthread_mutex_lock(&lock);
                counter++;
                if (locked)
                        pthread_mutex_unlock(&lock);
        }
        return unused;
}
int main(int argc, char **argv)
{
        pthread_t threads[2];
        locked = argc > 1;
        for (int i = 0; i < 2; i++)
                pthread_create(&threads[i], NULL, count, NULL);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        printf("counted %s\\n", counter > 0 ? "some" : "none");
}
"""

LIST = """
#include <stdio.h>
#include <stdlib.h>
struct node { struct node *next; long value; };
int main(int argc, char **argv)
{
        struct node *first = NULL;
        long sum = 0;
        for (int i = 0; i < 5000; i++) {
                struct node *new = malloc(sizeof(*new));
                new->next = first;
                new->value = i;
                first = new;
        }
        for (int round = 0; round < 20; round++)
                for (struct node *node = first; node; node = node->next)
                        sum += node->value;
        printf("sum %ld\\n", sum);
        if (argc > 1) {
                volatile char *bytes = malloc(16);
                bytes[16] = 1;
        }
}
"""

LEAK = """
#include <stdio.h>
#include <stdlib.h>
static void *volatile kept;
int main(int argc, char **argv)
{
        (void)argv;
        kept = malloc(77);
        if (argc > 1)
                kept = NULL;
        puts("done");
}
"""


def _tool(name: str, *arguments: str) -> str:
    made = subprocess.run(
        [TOOLS / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.rstrip("\n")


def _clang(folder: Path) -> list[str]:
    """A clang for aarch64: the sanitizers come from that processor's package."""
    _tool("install-packages", "clang-14", "lld-14")
    runtime = _tool("unpacked-package", "bookworm", "arm64", "libclang-rt-14-dev")
    for part, origin in (("include", CLANG), ("lib", runtime + CLANG), ("share", runtime + CLANG)):
        (folder / part).symlink_to(f"{origin}/{part}")
    target = ["--target=aarch64-linux-gnu", f"-resource-dir={folder}", "-fuse-ld=lld"]
    return [need("clang-14"), *target]


@pytest.fixture(scope="module", params=["gcc", pytest.param("clang", marks=pytest.mark.slow)])
def build(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """``build(source, sanitizer, arch="aarch64")``: the program of a source, cross-compiled."""
    folder = tmp_path_factory.mktemp("sanitizers")
    clang = _clang(tmp_path_factory.mktemp("clang")) if request.param == "clang" else None

    def make(source: str, sanitizer: str, arch: str = "aarch64") -> Path:
        if clang is not None and arch != "aarch64":
            pytest.skip("clang 14's ASan fails a check of its own on arm, under qemu-arm, too")
        compiler = clang or [need(COMPILERS[arch])]
        program = folder / f"{sanitizer}-{arch}"
        text = program.with_suffix(".c")
        text.write_text(source)
        made = subprocess.run(
            [*compiler, "-g", "-O1", "-pthread", f"-fsanitize={sanitizer}", "-o", program, text],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return program

    return make


def test_thread_sanitizer(
    qusr: Callable[[str], Emulator], root: Callable[..., Path], build: Callable[..., Path]
) -> None:
    program = build(RACE, "thread")
    run, options = qusr("aarch64"), ["-L", str(root("aarch64"))]
    clean = run(str(program), "locked", options=options)
    assert (clean.check().out, clean.err) == ("counted some\n", "")
    race = run(str(program), options=options)
    # TSan's own exit status for a program with reports.
    assert "WARNING: ThreadSanitizer: data race" in race.check(66).err


def test_hardware_assisted_address_sanitizer(
    qusr: Callable[[str], Emulator], root: Callable[..., Path], build: Callable[..., Path]
) -> None:
    program = build(LIST, "hwaddress")
    run, options = qusr("aarch64"), ["-L", str(root("aarch64"))]
    clean = run(str(program), options=options)
    assert (clean.check().out, clean.err) == ("sum 249950000\n", "")
    wrong = run(str(program), "wrong", options=options)
    assert wrong.status != 0
    assert "HWAddressSanitizer: tag-mismatch" in wrong.err
    assert "WRITE of size 1" in wrong.err


# The aarch64 libraries look at each of 2^28 regions, three times, with a barrier after each look.
@pytest.mark.parametrize("arch", ["arm", pytest.param("aarch64", marks=pytest.mark.slow)])
def test_leaks_are_found(
    arch: str,
    qusr: Callable[[str], Emulator],
    root: Callable[..., Path],
    build: Callable[..., Path],
) -> None:
    """LeakSanitizer, a part of ASan, traces the program from a process in the same memory."""
    program = build(LEAK, "address", arch)
    run, options = qusr(arch), ["-L", str(root(arch))]
    clean = run(str(program), options=options)
    assert (clean.check().out, clean.err) == ("done\n", "")
    leak = run(str(program), "leak", options=options)
    # ASan's own exit status.
    assert "77 byte(s) leaked in 1 allocation(s)" in leak.check(1).err
