"""The makers of this package's kernels (devices/compile.py); their cache follows its sources."""

from pathlib import Path
from typing import Final

from devices.compile import Compiler

_COMPILER: Final = Compiler(Path(__file__).parent)

FOLDER: Final = _COMPILER.folder
kernel = _COMPILER.kernel
inlined_kernel = _COMPILER.inlined_kernel
allocating_kernel = _COMPILER.allocating_kernel
