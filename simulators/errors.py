"""Errors of the simulators.

SimulatorError
├── PublishError     the broker did not take what was sent
└── LoadTargetError  load may only be aimed at this machine
"""


class SimulatorError(Exception):
    """Base of every error that this package raises."""


class PublishError(SimulatorError):
    """The broker refused the connection, closed it, or did not acknowledge in time."""


class LoadTargetError(SimulatorError):
    """Load was aimed at another machine."""
