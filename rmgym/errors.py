"""The exceptions that rmgym raises.

RmgymError
├── ParseError            a turn does not fit the grammar; step answers it, never raises it
├── RewardError           a reward term failed or returned something that is not a finite number
├── RubricError           a rubric is not usable
├── DataError             a user's data file is broken
├── TrajectoryStoreError  a trajectory store could not be read or written
├── MissingExtraError     an optional package is not installed
└── BackendError          a part outside the conversation broke: not the policy's fault
    ├── RetrieverError
    ├── SandboxError
    ├── ScorerError
    ├── JudgeError
    └── PolicyError

Modules above add their own under BackendError: `rmgym.rollout` EpisodeTimeoutError and
SeatLostError, `rmgym.agents.engine` EngineError, `rmgym.judges` BudgetExceeded under JudgeError.
"""

from __future__ import annotations


class RmgymError(Exception):
    """Base of every exception raised by rmgym."""


class ParseError(RmgymError, ValueError):
    """Raised when an agent's turn does not fit the grammar; says what was expected."""


class RewardError(RmgymError, ValueError):
    """Raised when a reward term fails or returns something that is not a finite number."""


class RubricError(RmgymError, ValueError):
    """Raised when a rubric is not usable; says which criterion and why."""


class DataError(RmgymError, ValueError):
    """Raised when a user's data is broken; names the file and the row."""


class TrajectoryStoreError(RmgymError, OSError):
    """Raised when a trajectory store cannot be read or written."""


class MissingExtraError(RmgymError, ImportError):
    """Raised when an optional package is missing; its message holds the line that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package: pip install 'rmgym[{extra}]'")
        self.what = what
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Rebuild from the two arguments, so that the error crosses process borders."""
        return type(self), (self.what, self.extra)


class BackendError(RmgymError, RuntimeError):
    """Raised when a part outside the conversation breaks; a rollout leaves the episode out."""


class RetrieverError(BackendError):
    """Raised when a retriever is down or answers garbage."""


class SandboxError(BackendError):
    """Raised when a sandbox is lost."""


class ScorerError(BackendError):
    """Raised when a scorer cannot give log-probabilities."""


class JudgeError(BackendError):
    """Raised when a judge gives no usable verdict."""


class PolicyError(BackendError):
    """Raised when a policy's engine fails to answer."""
