"""What the allocator is shown of the recipients: the part that treatments change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rmgym.envs.welfare.members import SCORE_NAMES, Member


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the world is presented; the world behind it is the same for every view."""

    names: tuple[str, ...]
    """Of the recipients, as shown and as the allocator must write them."""
    codes: tuple[str, ...]
    """What can stand for the names where they are hidden."""
    scores: tuple[tuple[float, ...], ...] = ()
    """Public scores as shown, recipient by recipient; empty where there are none."""
    groups: tuple[str, ...] = ()
    """Group of each recipient, or none."""
    notes: tuple[str, ...] = ()
    """Paragraphs that the opening adds to the rules."""
    every: int = 1
    """Results are shown after every so many turns."""
    stake: int | None = None
    """Place of the recipient of whose earnings the allocator gets a share."""

    @property
    def digest(self) -> str:
        """A short name: equal names, equal views."""
        return blake2b(repr(self).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def members_view(members: Sequence[Member]) -> View:
    """Return the plain view of members."""
    return View(
        names=tuple(member.name for member in members),
        codes=tuple(member.code for member in members),
        scores=tuple(member.scores for member in members),
    )


def names_view(names: Sequence[str]) -> View:
    """Return the plain view of recipients who have a name and nothing else."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    codes = tuple(letter * 3 for letter in letters[: len(names)])
    return View(names=tuple(names), codes=codes)


def profile_table(view: View) -> str:
    """Return the recipients with their groups and public scores, a line each."""
    groups = ["group"] if view.groups else []
    titles = [*SCORE_NAMES, "mean"] if view.scores else []
    lines = [" | ".join(["member", *groups, *titles])]
    for i, name in enumerate(view.names):
        cells = [name, *(view.groups[i : i + 1])]
        if view.scores:
            scores = view.scores[i]
            cells += [f"{score:.2f}" for score in (*scores, sum(scores) / len(scores))]
        lines.append(" | ".join(cells))
    return "\n".join(lines)


def value_table(view: View, title: str, worth: Sequence[float]) -> str:
    """Return one number for each recipient, a line each."""
    groups = view.groups or ("",) * len(view.names)
    lines = [f"recipient | group | {title}" if view.groups else f"recipient | {title}"]
    for name, group, value in zip(view.names, groups, worth, strict=True):
        cells = [name, group, f"{value:g}"] if view.groups else [name, f"{value:g}"]
        lines.append(" | ".join(cells))
    return "\n".join(lines)
