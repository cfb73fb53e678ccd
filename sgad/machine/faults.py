"""Whose fault an error is: the run's, which is a result, or the machine's, which says nothing about the run."""

from sgad.errors import TakenOver, WriteFailure

#: What torch raises for a device that failed, by name: this module does not import it. A run too large for the memory of a
#: GPU is not among them: its batch size is part of its recipe.
_DEVICE = ("AcceleratorError",)
#: What other kinds say where a device, a cache or a library of this machine fails.
_SAID = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "NCCL error", "cannot cache function")


def is_fault_of_the_machine(error: BaseException) -> bool:
    """Whether an error comes from disks, memory, devices or the installation, so that another machine may do better.

    A full disk takes no record, and a folder that was lost to another process is that one's.
    """
    if (
        isinstance(error, OSError | MemoryError | ImportError | WriteFailure | TakenOver)
        or type(error).__name__ in _DEVICE
    ):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)
