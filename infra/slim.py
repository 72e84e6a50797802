"""Makes an environment of servers small and equal on every build: run once, in the first stage of the Dockerfile.

Usage: VENV/bin/python slim.py ROOT [MODULE...], where VENV lies in ROOT and `serving` can be imported. The modules are those
that will be imported; without any, those of the image.

What a server never opens is deleted from the environment (tests, tools, type stubs, headers, a second copy of ONNX Runtime
for programs in C), shared libraries lose what only debuggers read, what a server imports is compiled, with hashes instead of
times, and every file below ROOT gets the time of SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/).
"""

from __future__ import annotations

import importlib
import os
import shutil
import struct
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from py_compile import PycInvalidationMode, compile

FOLDERS = (
    "**/tests",
    "**/include",
    "**/__pycache__",
    "cffi",  # what it compiles with, and what reads C for that; cryptography needs its library alone
    "pycparser",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/random",
    "numpy/testing",
    "numpy/typing",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
FILES = (
    "**/*.pyi",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.c",
    "**/*.h",
    "**/*.a",
    "numpy/_core/_simd.*.so",
    "numpy/_core/_*_tests.*.so",
    "onnxruntime/capi/libonnxruntime.so.*",  # the Python module holds the whole runtime itself
)


IMPORTED = (
    "granian.server",
    "serving.__main__",
    "serving.worker",
    "serving.transports.grpc",
    "serving.reasons.reasons",
    "awslambdaric.bootstrap",
    "serving.transports.aws_lambda",
    "serving.stream",
)


def main(root: Path, modules: Sequence[str] = IMPORTED) -> None:
    """Delete, strip, compile, and set times, in this order."""
    packages = Path(sysconfig.get_path("platlib"))
    for pattern in FOLDERS:
        for folder in list(packages.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)  # one inside another is gone already
    for pattern in FILES:
        for file in list(packages.glob(pattern)):
            file.unlink()
    for script in Path(sys.executable).parent.iterdir():  # the environment moves, and nothing starts by a script's name
        if not script.name.startswith("python"):
            script.unlink()
    for library in [*packages.rglob("*.so"), *packages.rglob("*.so.*")]:
        strip(library)
    for module in modules:
        importlib.import_module(module)
    files = {Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    for file in sorted(file for file in files if file.suffix == ".py" and file.is_relative_to(root)):
        compile(str(file), doraise=True, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in [root, *root.rglob("*")]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def strip(library: Path) -> None:
    """Cut off what lies behind the last loaded segment of an ELF file: symbols and debug sections.

    The loader reads program headers only; with the section headers gone, their offset and count become 0 (System V ABI,
    chapters 4 and 5, https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html).
    """
    content = bytearray(library.read_bytes())
    if content[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian: every platform that has these wheels
        return
    offset, size, count = struct.unpack_from("<Q", content, 32)[0], *struct.unpack_from("<HH", content, 54)
    end = offset + size * count
    for i in range(count):
        start, _, _, in_file = struct.unpack_from("<QQQQ", content, offset + i * size + 8)
        end = max(end, start + in_file)
    struct.pack_into("<Q", content, 40, 0)
    struct.pack_into("<HHH", content, 58, 0, 0, 0)
    library.write_bytes(content[:end])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or IMPORTED)
