"""Digital inputs by name: how JSON formats write the bits of `FixBatch.inputs`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from devices.batch import Input, inputs_states, inputs_word

INPUT_NAMES: Final[dict[str, Input]] = {str(bit.name).lower(): bit for bit in Input}

ON: Final = {name: inputs_word({bit: True}) for name, bit in INPUT_NAMES.items()}
OFF: Final = {name: inputs_word({bit: False}) for name, bit in INPUT_NAMES.items()}
"""The word that says only that this input is on, or off; words are joined by |."""

_NAME_OF: Final = {bit: name for name, bit in INPUT_NAMES.items()}


def named_word(states: Mapping[str, bool]) -> int:
    """The word of inputs that all have a name here."""
    word = 0
    for name, on in states.items():
        word |= ON[name] if on else OFF[name]
    return word


@lru_cache(maxsize=4096)
def named_states(word: int) -> Mapping[str, bool]:
    """The known inputs of a word by name. Do not change it: it is shared."""
    return {_NAME_OF[bit]: on for bit, on in inputs_states(word).items()}
