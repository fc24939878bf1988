# SPDX-License-Identifier: MIT
"""The peers: one row each, with how it is installed, started and told about a problem."""

import dataclasses
import importlib.metadata
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).parent
C_FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic")


class Missing(Exception):
    """Why a peer or a form of it is not there."""


@dataclasses.dataclass
class Tools:
    """Where things are."""
    root: pathlib.Path    # of the sources
    build: pathlib.Path   # of gruc, a release build
    venv: pathlib.Path
    install: bool

    @property
    def python(self):
        return self.venv / "bin" / "python"

    @property
    def programs(self):
        return self.build / "bench"


def run_program(command, **options):
    """Its standard output; Missing with the end of what it says when it fails."""
    try:
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                                check=False, **options)
    except OSError as error:
        raise Missing(str(error)) from error
    if result.returncode != 0:
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        program = pathlib.Path(command[0]).name
        raise Missing(f"{program}: {lines[-1].removeprefix(program + ': ') if lines else 'failed'}")
    return result.stdout


def find_version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def install_packages(tools, packages, flags=()):
    wanted = [package for package in packages if not find_version(package.split("==")[0])]
    if wanted and not tools.install:
        raise Missing(f"{wanted[0]} is not installed")
    if wanted:
        print(f"installing {' '.join(wanted)}", flush=True)
        run_program([tools.python, "-m", "pip", "install", "--quiet",
                     "--disable-pip-version-check", *flags, *wanted])
        importlib.invalidate_caches()


def compile_program(tools, name, sources, flags=()):
    """A program of the build folder's bench/."""
    tools.programs.mkdir(exist_ok=True)
    program = tools.programs / name
    run_program([os.environ.get("CC", "cc"), *C_FLAGS, *[HERE.parent / file for file in sources],
                 *flags, "-o", program])
    return program


class Peer:
    """Something that runs a GRU in a worker process. A row of PEERS is a subclass with these."""
    name = ""
    can = frozenset()          # what Problem.needs may hold
    weights_types = ("f32",)
    by_rows = False            # takes (batch, steps, width), else (steps, batch, width)
    restarts = True            # a new process each time, or one process for the whole run
    onnx = False               # reads model.onnx

    def __init__(self):
        self.version, self.command = "", []

    def prepare(self, tools):
        """Installs and builds what is missing, fills version and command; raises Missing."""
        raise NotImplementedError

    def library(self, problem, folder, threads, weights_type):
        """What subject.library says."""
        return ""

    def words(self, problem, folder, threads, weights_type):
        words = problem.words(folder)
        words.update(input=folder / ("x_rows.f32" if self.by_rows else "x_steps.f32"),
                     threads=threads, weights_type=weights_type,
                     library=self.library(problem, folder, threads, weights_type))
        if self.onnx:
            problem.write_onnx(folder)
            words["model"] = folder / "model.onnx"
        return words


class GrucPeer(Peer):
    """gruc itself."""
    name = "gruc"
    can = frozenset(("streaming", "reset_before", "lengths", "mask", "structure"))
    weights_types = ("f32", "bf16", "f16", "int8")
    by_rows = True

    def prepare(self, tools):
        self.program = tools.build / "gruc"
        self.version = run_program([self.program, "--version"]).splitlines()[0].split()[-1]
        self.command = [compile_program(
            tools, "worker_gruc", ["worker.c", "peers/gruc.c"],
            ["-I", tools.root / "include", tools.build / "libgruc_rt.a", "-ldl", "-lpthread",
             "-lm"])]

    def library(self, problem, folder, threads, weights_type):
        path = folder / f"{weights_type}_{threads}.so"
        if not path.exists():
            run_program([self.program, "compile", folder / "model.yaml", "--emit=shared",
                         "-o", path, f"--threads={threads}", f"--weights-type={weights_type}"])
        return path


class OrtPeer(Peer):
    name = "ORT"
    can = frozenset(("streaming", "reset_before", "lengths", "structure"))
    onnx = True

    def prepare(self, tools):
        install_packages(tools, ["onnxruntime==1.31.*", "onnx"])
        self.version = find_version("onnxruntime")
        folder = pathlib.Path(importlib.metadata.distribution("onnxruntime")
                              .locate_file("onnxruntime/capi"))
        libraries = sorted(folder.glob("libonnxruntime.so.*"))
        if not libraries:
            raise Missing(f"no libonnxruntime.so in {folder}")
        self.path = libraries[0]
        self.command = [compile_program(tools, "worker_ort", ["worker.c", "peers/ort.c"],
                                        ["-ldl"])]

    def library(self, problem, folder, threads, weights_type):
        return self.path


class OneDnnPeer(Peer):
    """Of one version: the worker is compiled against its headers and linked with it."""
    can = frozenset(("streaming", "reset_before"))

    def build(self, tools, program, headers, libraries):
        # With a RUNPATH what the library itself needs would not be looked for there.
        self.command = [compile_program(
            tools, program, ["worker.c", "peers/onednn.c"],
            ["-isystem", headers, f"-L{libraries}", f"-Wl,-rpath,{libraries}",
             f"-Wl,-rpath-link,{libraries}", "-Wl,--disable-new-dtags", "-ldnnl"])]


class OneDnnDebian(OneDnnPeer):
    name = "oneDNN 2"
    packages = ("libdnnl2", "libdnnl-dev", "ocl-icd-libopencl1")

    def prepare(self, tools):
        folder = tools.venv / "debian"
        if not list(folder.glob("usr/lib/*/libdnnl.so")):
            if not tools.install:
                raise Missing("libdnnl-dev is not there")
            self.unpack(folder)
        library = next(folder.glob("usr/lib/*/libdnnl.so"))
        self.version = library.resolve().name.partition(".so.")[2]
        self.build(tools, "worker_onednn2", folder / "usr/include", library.parent)

    def unpack(self, folder):
        """Beside the Python packages: needs neither root nor a place in the system."""
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise Missing("libdnnl-dev comes from Debian, and there is no apt-get here")
        print(f"unpacking {' '.join(self.packages)}", flush=True)
        downloads = folder / "packages"
        downloads.mkdir(parents=True, exist_ok=True)
        run_program(["apt-get", "download", *self.packages], cwd=downloads)
        for package in downloads.glob("*.deb"):
            run_program(["dpkg-deb", "-x", package, folder])


class OneDnnPyPI(OneDnnPeer):
    name = "oneDNN 3"

    def prepare(self, tools):
        install_packages(tools, ["onednn-cpu-gomp", "onednn-devel-cpu-gomp"])
        library = tools.venv / "lib" / "libdnnl.so.3"
        if not library.exists():
            raise Missing(f"no {library}")
        versions = sorted(path.name for path in library.parent.glob("libdnnl.so.3.*"))
        self.version = versions[-1].partition(".so.")[2] if versions else "3"
        self.build(tools, "worker_onednn3", tools.venv / "include", library.parent)


class PythonPeer(Peer):
    """A module of this folder that worker.py loads; one process, since starting takes long."""
    restarts = False
    module = ""
    packages = ()
    alone = ()      # packages to install without what they ask for

    def prepare(self, tools):
        if self.alone:
            install_packages(tools, self.alone, ["--no-deps"])
        install_packages(tools, self.packages)
        module = HERE / self.module
        self.version = run_program([tools.python, "-c",
                                    "import runpy, sys; print(runpy.run_path(sys.argv[1])"
                                    "['VERSION'])", module]).split()[-1]
        self.command = [tools.python, HERE.parent / "worker.py", module]


class OpenVinoPeer(PythonPeer):
    name = "OpenVINO"
    can = frozenset(("streaming", "reset_before", "lengths", "structure"))
    onnx = True
    module = "openvino_peer.py"
    packages = ("openvino", "onnx")


class TorchPeer(PythonPeer):
    """PyPI's build for CUDA without the gigabytes of CUDA that it asks for: it imports where the
    rest of CUDA is installed."""
    name = "torch"
    can = frozenset(("streaming", "lengths"))
    weights_types = ("f32", "int8")
    module = "torch_peer.py"
    packages = ("filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec")
    alone = ("torch", "nvidia-cufile", "nvidia-nvshmem-cu13", "nvidia-cusparselt-cu13")


class JaxPeer(PythonPeer):
    name = "JAX"
    can = frozenset(("streaming", "reset_before", "lengths", "mask"))
    module = "jax_peer.py"
    packages = ("jax",)


PEERS = (OrtPeer, OneDnnDebian, OneDnnPyPI, OpenVinoPeer, TorchPeer, JaxPeer)
