"""qusr-static registered by flag F, and what starts containers: each as its manual says.

All of it in namespaces of the test's own, so nothing of the machine's changes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from qusr.binfmt import launcher, registry
from tests import emulators, namespaces
from tests.emulators import REPO, Result
from tests.namespaces import shell
from tests.test_static import STATIC, static

__all__ = ["static"]

#: Namespaces that a machine has when it starts, with control groups as systemd mounts them.
_MACHINE = ("unshare", "--net", "--ipc", "--uts", "--cgroup", "--pid", "--fork", "--mount-proc")
_BEGIN = """
    set -e
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    mount -t tmpfs none /run
    "$1" qusr-binfmt install --preserve-argv0 --interpreter "$2"/sub/interp && rm "$2"/sub/interp
    place="$2"; cd "$place"
"""
_SCRIPT = "uname -m; id -un; (exit 3); echo $?; readlink /proc/self/exe"
_PRINTED = "aarch64\nroot\n3\n/bin/busybox\n"
_ENGINE = '--storage-driver vfs --root "$place"/storage --runroot /run/engine'


@pytest.fixture
def place(static: Path, tmp_path: Path) -> Path:
    """A folder with a small arm64 root, `root`."""
    if os.geteuid() != 0:
        pytest.skip("takes root: a namespace with more than one user")
    namespaces.need_binfmt()
    root = tmp_path / "root"
    for name in ("bin", "etc", "proc", "sys", "dev", "run", "tmp", "usr", "root"):
        (root / name).mkdir(parents=True)
    busybox = emulators.debian_root("aarch64") / "usr/bin/busybox-static"
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "uname", "id", "readlink", "grep", "echo"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/os-release").write_text("ID=test\n")
    return tmp_path


def run(script: str, place: Path) -> Result:
    done = shell(_BEGIN + script, STATIC, place, prelude="", users=True, more=_MACHINE, timeout=120)
    # Whatever ran, nothing of qusr is left in the root.
    assert not list((place / "root").glob("**/*qusr*"))
    return done


def test_bubblewrap(place: Path) -> None:
    emulators.need("bwrap")
    script = f"bwrap --bind root / --unshare-all --clearenv --proc /proc /bin/sh -c '{_SCRIPT}'"
    assert run(script, place).check().out == _PRINTED
    script = (
        "bwrap --bind root / --unshare-all --clearenv --dev /dev /bin/sh -c 'uname -m; echo $$'"
    )
    assert run(script, place).check().out == "aarch64\n2\n"


def test_systemd_nspawn(place: Path) -> None:
    emulators.need("systemd-nspawn")
    script = f"systemd-nspawn -q --pipe --register=no --keep-unit -D root /bin/sh -c '{_SCRIPT}'"
    done = run(script, place)
    assert done.out == _PRINTED, done.describe()


def test_buildah(place: Path) -> None:
    """`RUN` lines of an image for another machine."""
    emulators.need("buildah")
    containerfile = f"FROM scratch\nCOPY root /\nRUN {_SCRIPT}\nRUN exit 3\n"
    (place / "Containerfile").write_text(containerfile)
    script = f"buildah build {_ENGINE} --isolation chroot --arch arm64 -f Containerfile . 2>&1"
    done = run(script, place)
    assert done.status == 3, done.describe()
    assert _PRINTED in done.out and "exit status 3" in done.out, done.describe()


def test_podman(place: Path) -> None:
    """With its default seccomp profile and no_new_privs."""
    emulators.need("podman")
    emulators.need("crun")
    script = f"""
        export XDG_RUNTIME_DIR="$2"
        podman() {{
            command podman {_ENGINE} --cgroup-manager cgroupfs --events-backend none \
                --runtime crun "$@"
        }}
        tar -C root -c . | podman import -q - guest >/dev/null
        podman run --rm --network none --cgroups disabled --uidmap 0:0:60000 --gidmap 0:0:60000 \
            --security-opt no-new-privileges guest \
            /bin/sh -c '{_SCRIPT}; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status'
    """
    done = run(script, place)
    assert done.out == _PRINTED + "NoNewPrivs:\t1\nSeccomp:\t2\n", done.describe()


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_oci_runtimes(place: Path, runtime: str) -> None:
    """A bundle whose root is read-only, in a user namespace."""
    emulators.need(runtime)
    bundle = place / "bundle"
    bundle.mkdir()
    subprocess.run([runtime, "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"].update(args=["/bin/sh", "-c", _SCRIPT], terminal=False)
    config["root"] = {"path": str(place / "root"), "readonly": True}
    ids = [{"containerID": 0, "hostID": 0, "size": 60000}]
    linux = config["linux"]
    linux.pop("resources", None)
    linux.update(uidMappings=ids, gidMappings=ids)
    linux["namespaces"].append({"type": "user"})
    (bundle / "config.json").write_text(json.dumps(config))
    option = "--cgroup-manager=disabled" if runtime == "crun" else ""
    script = f'{runtime} {option} --root "$2"/state run --bundle bundle guest </dev/null'
    done = run(script, place)
    assert done.out == _PRINTED, done.describe()


def test_an_image_that_registers(place: Path) -> None:
    """packaging/container: what it installs is there when its container is gone."""
    emulators.need("buildah")
    script = f"""
        "$1" qusr-binfmt uninstall --interpreter "$2"/sub/interp
        buildah build {_ENGINE} --isolation chroot -t q \
            -f {REPO}/packaging/container/Containerfile {REPO} >/dev/null 2>&1
        container=$(buildah {_ENGINE} from q)
        buildah {_ENGINE} inspect --type image q | grep -A9 '"Cmd"' | tr -d ' \\n"' >&2
        inside=$(buildah {_ENGINE} mount $container)
        mkdir -p $inside/proc && mount --rbind /proc $inside/proc
        chroot $inside /usr/bin/qusr-static qusr-binfmt \
            install --force --as-qemu --preserve-argv0 --credentials
        umount -l $inside/proc; buildah {_ENGINE} rm $container >/dev/null
        grep flags /proc/sys/fs/binfmt_misc/qemu-aarch64
        chroot root /bin/uname -m
    """
    done = run(script, place)
    assert done.out == "flags: POCF\naarch64\n", done.describe()
    words = "install,--force,--as-qemu,--preserve-argv0,--credentials"
    assert words in done.err, done.describe()


def _free_words(done: Result) -> list[str]:
    return done.out.split()


@pytest.mark.slow
@pytest.mark.parametrize("debian", ["arm64", "armhf"])
def test_mmdebstrap_and_packages(static: Path, tmp_path: Path, debian: str) -> None:
    """A root whose packages are configured by their own scripts, and ten more by apt-get."""
    for tool in ("mmdebstrap", "arch-test"):
        emulators.need(tool)
    namespaces.need_binfmt()
    packages = "file less tree jq bc zstd unzip lsof psmisc time"
    script = f"""
        set -e
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        "$1" qusr-binfmt install --as-qemu --preserve-argv0 --interpreter "$2"/interp
        mmdebstrap --mode=root --variant=minbase --arch={debian} bookworm "$2"/root \
            http://deb.debian.org/debian >&2
        cp /etc/resolv.conf "$2"/root/etc/
        for name in proc dev; do mount --rbind /$name "$2"/root/$name; done
        chroot "$2"/root sh -c 'apt-get -q update && apt-get -qy install {packages}' >&2
        chroot "$2"/root sh -c 'dpkg --print-architecture; dpkg --audit; echo 2^70 | bc
            dpkg-query -W -f "\\${{Status}}\\n" {packages} | sort | uniq -c'
        find "$2"/root -xdev -name .cache
    """
    done = shell(script, static, tmp_path, prelude="", users=True, timeout=3000).check()
    expected = f"{debian} 1180591620717411303424 10 install ok installed"
    assert " ".join(_free_words(done)) == expected, done.describe()


@pytest.mark.slow
@pytest.mark.parametrize(("debian", "guest"), [("arm64", "aarch64"), ("armhf", "arm")])
def test_debootstrap_in_two_stages(static: Path, tmp_path: Path, debian: str, guest: str) -> None:
    """The file is in the root; nothing is mounted or registered for it, /proc comes and goes."""
    emulators.need("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("takes root: devices are made")
    script = f"""
        set -e
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin QUSR_CACHE_DIR=
        debootstrap --foreign --arch={debian} --variant=minbase bookworm "$2"/root \
            http://deb.debian.org/debian >&2
        cp "$1" "$2"/root/usr/bin/qemu-{guest}-static
        inside() {{ chroot "$2"/root /usr/bin/qemu-{guest}-static "${{@:3}}"; }}
        inside "$@" /bin/sh /debootstrap/debootstrap --second-stage >&2
        inside "$@" /bin/sh -c 'dpkg --print-architecture; dpkg --audit; ls -d /debootstrap' || true
    """
    words = ("unshare", "--mount", "--pid", "--fork", "bash", "-c", script, "bash")
    command = (*words, str(static), str(tmp_path))
    ran = subprocess.run(command, capture_output=True, check=False, timeout=3000)
    done = Result(command, ran.returncode, ran.stdout, ran.stderr)
    assert done.check().out == f"{debian}\n", done.describe()


def test_a_debian_package(static: Path, tmp_path: Path) -> None:
    """packaging/debian: built by dpkg-deb, installed over the machine's /usr in a namespace."""
    emulators.need("dpkg-deb")
    namespaces.need_binfmt()
    package, files = tmp_path / "qusr.deb", tmp_path / "files"
    subprocess.run([REPO / "packaging/debian/build", package], check=True)
    subprocess.run(["dpkg-deb", "-R", package, files], check=True)
    control = subprocess.run(
        ["dpkg-deb", "-f", package, "Package", "Architecture"], capture_output=True, check=True
    )
    assert control.stdout == b"Package: qusr-static\nArchitecture: amd64\n"
    script = """
        set -e
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        mount -t tmpfs none /run
        mount -t overlay none -o lowerdir="$1"/usr:/usr /usr
        export PATH=/usr/bin:/bin
        qusr-aarch64-static "$2"/hello-aarch64; qusr-arm-static "$2"/hello-arm
        "$1"/DEBIAN/postinst configure; grep -h flags /proc/sys/fs/binfmt_misc/qusr-*
        "$2"/hello-aarch64
        "$1"/DEBIAN/postinst configure; qusr-binfmt status arm
        "$1"/DEBIAN/prerm remove; ls /proc/sys/fs/binfmt_misc
    """
    hello = REPO / "testbins" / "prebuilt"
    able = len(launcher.without_unicorn(registry.guests([])))
    done = shell(script, files, hello, prelude="").check()
    assert done.out.splitlines() == [
        "Hello from aarch64!", "Hello from arm!", *["flags: POCF"] * able, "Hello from aarch64!",
        "binfmt_misc: enabled",
        "arm         qusr-arm: /usr/libexec/qusr/qusr-interp [POCF], this qusr",
        "register", "status",
    ]  # fmt: skip
