"""The exceptions that a user can meet. Their message is one clear sentence: what was found, where, and what to do next."""


class CctaError(Exception):
    """Base of everything that is the input's fault or the environment's: the command line prints it and exits with 2."""


class BadInput(CctaError):
    """The input cannot be used as it is: wrong kind, damaged, empty, inconsistent."""


class IncompleteSeries(BadInput):
    """A DICOM series has missing, duplicate or unevenly spaced slices."""


class MissingStage(CctaError):
    """A stage was asked to run before the one whose files it needs."""


class BadSettings(CctaError):
    """A setting is unknown or outside its range."""


class StorageFailed(CctaError):
    """A file could not be written (disk full, no permission). Nothing half-written was left behind."""


class SolverFailed(CctaError):
    """A mesh or a flow solution could not be obtained, with the reason and what was tried."""


class Refusal(CctaError):
    """What was asked cannot be measured in this image or geometry, with the reason.

    Raised inside a stage; the runner stores the reason as `Unavailable` for the stage's outputs and goes on (habit 9).
    """
