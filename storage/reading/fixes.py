"""Parts that rows of positions and fixes share: quality bits and inputs by name."""

from functools import lru_cache
from typing import Final

from devices.batch import Quality, inputs_states

WORD: Final = 0xFFFF_FFFF


@lru_cache(maxsize=1024)
def quality_names(bits: int) -> tuple[str, ...]:
    """The names of the bits that are set, in the order of docs/rules.md section 9."""
    return tuple(str(bit.name).lower() for bit in Quality if bits & bit)


@lru_cache(maxsize=4096)
def input_states(word: int) -> dict[str, bool]:
    """The inputs that are known, by name; a shared result, not to be changed.

    word: `FixBatch.inputs`, as the signed integer that the database stores.
    """
    return {str(bit.name).lower(): on for bit, on in inputs_states(word & WORD).items()}
