"""NVIDIA's driver where there is none, as far as it is called: a GPU's memory is a file."""

# ruff: noqa: N802 - the names are the driver's

from __future__ import annotations

import mmap
import os
from enum import Enum
from types import SimpleNamespace
from typing import Any

GRAIN = 1 << 16


class Result(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_INVALID_VALUE = 1


class Driver:
    """NVIDIA's driver as far as it is called, with a file in memory for what lies on a GPU."""

    CUresult = Result
    CU_MEMHOSTREGISTER_PORTABLE = 1
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED=103
    )
    CUmemAllocationHandleType = SimpleNamespace(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR=1)
    CUmemLocationType = SimpleNamespace(CU_MEM_LOCATION_TYPE_DEVICE=1)
    CUmemAllocationType = SimpleNamespace(CU_MEM_ALLOCATION_TYPE_PINNED=1)
    CUmemAllocationGranularity_flags = SimpleNamespace(CU_MEM_ALLOC_GRANULARITY_MINIMUM=0)
    CUmemAccess_flags = SimpleNamespace(CU_MEM_ACCESS_FLAGS_PROT_READWRITE=3)
    CUmemLocation = CUmemAllocationProp = CUmemAccessDesc = SimpleNamespace

    def __init__(self) -> None:
        self.fails: dict[str, Result] = {}
        self.handles: set[int] = set()
        self.reserved: dict[int, mmap.mmap] = {}
        self.mapped: set[int] = set()
        self.pinned: set[int] = set()
        self.contexts = 0

    def __getattribute__(self, name: str) -> Any:
        """Have a function that is to fail do so."""
        found = object.__getattribute__(self, name)
        if not name.startswith("cu"):
            return found
        failure = self.fails.get(name)
        return found if failure is None else lambda *_: (failure,)

    def cuInit(self, flags: int) -> Any:
        return (Result.CUDA_SUCCESS,)

    def cuDeviceGetCount(self) -> Any:
        return Result.CUDA_SUCCESS, 3

    def cuDeviceGet(self, number: int) -> Any:
        return Result.CUDA_SUCCESS, number

    def cuDeviceGetAttribute(self, kind: int, device: int) -> Any:
        return Result.CUDA_SUCCESS, int(kind == 103 and device < 2)

    def cuDeviceGetUuid(self, device: int) -> Any:
        return Result.CUDA_SUCCESS, SimpleNamespace(bytes=bytes([device] * 16))

    def cuDevicePrimaryCtxRetain(self, device: int) -> Any:
        return Result.CUDA_SUCCESS, f"context {device}"

    def cuCtxPushCurrent(self, context: str) -> Any:
        self.contexts += 1
        return (Result.CUDA_SUCCESS,)

    def cuCtxPopCurrent(self) -> Any:
        self.contexts -= 1
        return Result.CUDA_SUCCESS, None

    def cuCtxSynchronize(self) -> Any:
        assert self.contexts == 1
        return (Result.CUDA_SUCCESS,)

    def cuMemHostRegister(self, address: int, nbytes: int, flags: int) -> Any:
        assert self.contexts == 1
        self.pinned.add(address)
        return (Result.CUDA_SUCCESS,)

    def cuMemHostUnregister(self, address: int) -> Any:
        self.pinned.remove(address)
        return (Result.CUDA_SUCCESS,)

    def cuMemGetAllocationGranularity(self, wanted: Any, option: int) -> Any:
        return Result.CUDA_SUCCESS, GRAIN

    def cuMemCreate(self, size: int, wanted: Any, flags: int) -> Any:
        assert (wanted.type, wanted.requestedHandleTypes, wanted.location.type) == (1, 1, 1)
        assert size % GRAIN == 0
        handle = os.memfd_create("gpu")
        os.ftruncate(handle, size)
        self.handles.add(handle)
        return Result.CUDA_SUCCESS, handle

    def cuMemRelease(self, handle: int) -> Any:
        self.handles.remove(handle)
        os.close(handle)
        return (Result.CUDA_SUCCESS,)

    def cuMemExportToShareableHandle(self, handle: int, kind: int, flags: int) -> Any:
        return Result.CUDA_SUCCESS, os.dup(handle)

    def cuMemImportFromShareableHandle(self, fd: int, kind: int) -> Any:
        handle = os.dup(fd)
        self.handles.add(handle)
        return Result.CUDA_SUCCESS, handle

    def cuMemAddressReserve(self, size: int, alignment: int, address: int, flags: int) -> Any:
        number = 1 + len(self.reserved) + max(self.reserved, default=0)
        self.reserved[number] = mmap.mmap(-1, size)
        return Result.CUDA_SUCCESS, number

    def cuMemMap(self, address: int, size: int, offset: int, handle: int, flags: int) -> Any:
        if os.fstat(handle).st_size != size:
            return (Result.CUDA_ERROR_INVALID_VALUE,)
        self.reserved[address] = mmap.mmap(handle, size)
        self.mapped.add(address)
        return (Result.CUDA_SUCCESS,)

    def cuMemSetAccess(self, address: int, size: int, access: list[Any], count: int) -> Any:
        assert (access[0].flags, access[0].location.type, count) == (3, 1, 1)
        return (Result.CUDA_SUCCESS,)

    def cuMemUnmap(self, address: int, size: int) -> Any:
        self.mapped.remove(address)
        return (Result.CUDA_SUCCESS,)

    def cuMemAddressFree(self, address: int, size: int) -> Any:
        del self.reserved[address]
        return (Result.CUDA_SUCCESS,)
