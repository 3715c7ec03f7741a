"""Errors of the simulators.

SimulatorError
├── PublishError             the broker did not take what was sent
├── TooManyConnectionsError  more than this machine's limits allow
├── LoadTargetError          load may only be aimed at this machine
├── LineError                a road that cannot be driven as the fleet drives
└── TruthFileError           a truth file that cannot be written, or is none
"""


class SimulatorError(Exception):
    """Base of every error that this package raises."""


class PublishError(SimulatorError):
    """The broker refused the connection, closed it, or did not acknowledge in time."""


class TooManyConnectionsError(SimulatorError):
    """So many connections need more open files than processes may have here."""


class LoadTargetError(SimulatorError):
    """Load was aimed at another machine."""


class LineError(SimulatorError):
    """A line is too short, or leads where driving would break a rule that nobody planned."""


class TruthFileError(SimulatorError):
    """The file cannot be written, or what is read is no truth."""
