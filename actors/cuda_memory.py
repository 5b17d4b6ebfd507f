"""Memory of a GPU that several processes map, by NVIDIA's driver: a descriptor each, no names."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any

log = logging.getLogger("tether")


def driver() -> Any:
    """Return NVIDIA's own bindings, which torch brings along where it is built for CUDA."""
    from cuda.bindings import driver as bindings

    return bindings


def call(name: str, *arguments: Any) -> Any:
    """Return what a function of the driver gives; raises OSError with its word for a failure."""
    error, *values = getattr(driver(), name)(*arguments)
    if error != driver().CUresult.CUDA_SUCCESS:
        raise OSError(f"{name}: the GPU's driver answers {error.name}")
    return values[0] if values else None


@cache
def seen() -> dict[str, int]:
    """Return the GPUs this process sees whose memory can be shared, and their numbers here."""
    found: dict[str, int] = {}
    try:
        call("cuInit", 0)
        kind = "CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED"
        shareable = getattr(driver().CUdevice_attribute, kind)
        for number in range(call("cuDeviceGetCount")):
            device = call("cuDeviceGet", number)
            if call("cuDeviceGetAttribute", shareable, device):
                found[bytes(call("cuDeviceGetUuid", device).bytes).hex()] = number
    except ImportError:
        log.warning(
            "cuda-bindings is not installed, so tensors on a GPU go to other processes by way of "
            "the host's memory: pip install cuda-bindings"
        )
    except (OSError, RuntimeError) as error:  # there is no GPU for us, or not even a driver
        log.info("no GPU's memory is shared: %s", str(error))
    return found


def name(number: int) -> str:
    """Return the name of a GPU of this process, its UUID; empty if its memory is not shared."""
    return next((gpu for gpu, known in seen().items() if known == number), "")


def ordinal(gpu: str) -> int:
    """Return the number of a GPU in this process; OSError if it is not seen here."""
    if gpu not in seen():
        raise OSError(f"this process does not see GPU {gpu}")
    return seen()[gpu]


@cache
def _context(number: int) -> Any:
    """Return the context that torch works in, too."""
    return call("cuDevicePrimaryCtxRetain", call("cuDeviceGet", number))


@contextmanager
def _in_context(number: int) -> Iterator[None]:
    call("cuCtxPushCurrent", _context(number))
    try:
        yield
    finally:
        call("cuCtxPopCurrent")


def pin(gpu: str, address: int, nbytes: int) -> Callable[[], None]:
    """Have memory of the host known to a GPU; return what ends that. OSError if it cannot be."""
    number = ordinal(gpu)
    with _in_context(number):
        call("cuMemHostRegister", address, nbytes, driver().CU_MEMHOSTREGISTER_PORTABLE)
    return partial(_unpin, number, address)


def _unpin(number: int, address: int) -> None:
    with _at_the_end(), _in_context(number):
        call("cuMemHostUnregister", address)


@contextmanager
def _at_the_end() -> Iterator[None]:
    """Let go without a word: the driver may be gone already, and with it all that it had."""
    with suppress(OSError, ImportError, TypeError, AttributeError):
        yield


def _by_descriptor() -> Any:
    return driver().CUmemAllocationHandleType.CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR


def _place(number: int) -> Any:
    place = driver().CUmemLocation()
    place.type = driver().CUmemLocationType.CU_MEM_LOCATION_TYPE_DEVICE
    place.id = number
    return place


def _wanted(number: int) -> Any:
    wanted = driver().CUmemAllocationProp()
    wanted.type = driver().CUmemAllocationType.CU_MEM_ALLOCATION_TYPE_PINNED
    wanted.location = _place(number)
    wanted.requestedHandleTypes = _by_descriptor()
    return wanted


@cache
def _grain(number: int) -> int:
    """Return the bytes of which the memory of a GPU is given in multiples."""
    least = driver().CUmemAllocationGranularity_flags.CU_MEM_ALLOC_GRANULARITY_MINIMUM
    return int(call("cuMemGetAllocationGranularity", _wanted(number), least))


class CudaMemory:
    """Memory of a GPU, mapped. It lasts until all who map it have let go, whoever was killed."""

    __slots__ = ("_number", "_size", "address", "fd", "nbytes")

    def __init__(self, number: int, handle: Any, nbytes: int, fd: int) -> None:
        """Map an allocation of a GPU, which is the memory's from now on; OSError if that fails."""
        self.fd = fd
        self.nbytes = nbytes
        self.address = 0
        self._number = number
        self._size = _whole(number, nbytes)
        try:
            self.address = _mapped(number, handle, self._size)
        finally:
            call("cuMemRelease", handle)  # what maps it keeps it, and so does the descriptor

    @classmethod
    def create(cls, gpu: str, nbytes: int) -> CudaMemory:
        """Return new memory, of no certain content; OSError when there is no more of it."""
        number = ordinal(gpu)
        handle = call("cuMemCreate", _whole(number, nbytes), _wanted(number), 0)
        try:
            fd = int(call("cuMemExportToShareableHandle", handle, _by_descriptor(), 0))
        except OSError:
            call("cuMemRelease", handle)
            raise
        return cls(number, handle, nbytes, fd)

    @classmethod
    def adopt(cls, gpu: str, fd: int, nbytes: int) -> CudaMemory:
        """Return memory that another process has passed; OSError if it cannot be mapped here."""
        try:
            number = ordinal(gpu)
            handle = call("cuMemImportFromShareableHandle", fd, _by_descriptor())
        finally:
            os.close(fd)
        return cls(number, handle, nbytes, -1)

    def __del__(self) -> None:
        if self.address:
            _let_go(self._number, self.address, self._size)
        if self.fd >= 0:
            os.close(self.fd)


def _whole(number: int, nbytes: int) -> int:
    return -(-nbytes // _grain(number)) * _grain(number)


def _mapped(number: int, handle: Any, size: int) -> int:
    """Return where an allocation is mapped, to be read and written by its GPU."""
    access = driver().CUmemAccessDesc()
    access.location = _place(number)
    access.flags = driver().CUmemAccess_flags.CU_MEM_ACCESS_FLAGS_PROT_READWRITE
    address = int(call("cuMemAddressReserve", size, 0, 0, 0))
    try:
        call("cuMemMap", address, size, 0, handle, 0)
    except OSError:
        call("cuMemAddressFree", address, size)
        raise
    try:
        call("cuMemSetAccess", address, size, [access], 1)
    except OSError:
        _unmap(address, size)
        raise
    return address


def _let_go(number: int, address: int, size: int) -> None:
    """Take memory out of the address space, once no kernel can be at it: seldom, so it may wait."""
    with _at_the_end():
        with _in_context(number):
            call("cuCtxSynchronize")
        _unmap(address, size)


def _unmap(address: int, size: int) -> None:
    call("cuMemUnmap", address, size)
    call("cuMemAddressFree", address, size)
