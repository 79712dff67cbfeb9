"""Arenas as PettingZoo environments.

A `ChatArena` is a PettingZoo parallel environment as it stands; this module gives its other face.
"""

from __future__ import annotations

from typing import Any

from rmgym.arena import ChatArena
from rmgym.errors import MissingExtraError


def to_aec(arena: ChatArena[Any]) -> Any:
    """Return an arena as a PettingZoo AEC environment, made by PettingZoo's own converter.

    Seats act one after another; the arena steps when the last one has acted.

    Raises:
        MissingExtraError: If PettingZoo is not installed.
    """
    try:
        from pettingzoo.utils.conversions import parallel_to_aec
    except ImportError:
        raise MissingExtraError("to_aec", "arena") from None
    return parallel_to_aec(arena)
