"""Time and memory of PyTorch on either device: events of the GPU, wall clock on the CPU."""

import math
import resource
import statistics
import time

import torch

ENOUGH = 0.005  # seconds between two events, beside which their own resolution is nothing
MOST_CALLS = 100
HEAD_START = 20_000_000  # cycles of a GPU, 10 ms and more: a hundred launches take less


def name_of(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


class Timer:
    def __init__(self, device: str):
        self.gpu = device == "cuda"

    def wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()

    def once(self, function) -> float:
        """Seconds of one call, everything that it queued included."""
        if not self.gpu:
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        function()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def all(self, function, repeats: int) -> list:
        for _ in range(2 if self.gpu else 1):  # on a GPU the first call may try algorithms
            function()
        self.wait()
        if not self.gpu:
            return sorted(self.once(function) for _ in range(repeats))
        calls = min(MOST_CALLS, math.ceil(ENOUGH / self.once(function)))
        self.queued(function, calls)  # while an idle device raises its clock
        return sorted(self.queued(function, calls) for _ in range(repeats))

    def queued(self, function, calls: int) -> float:
        """Seconds a call of several in a row. They wait in a queue when the first one starts, so that what Python takes to
        launch them is no part of it: of a short kernel it would be most."""
        if calls > 1:
            torch.cuda._sleep(HEAD_START)

        def row():
            for _ in range(calls):
                function()

        return self.once(row) / calls

    def median(self, function, repeats: int) -> float:
        return statistics.median(self.all(function, repeats))

    def reset_peak(self) -> None:
        if self.gpu:
            torch.cuda.reset_peak_memory_stats()

    def peak_bytes(self) -> int:
        """Of tensors on the GPU; of the process on the CPU."""
        if self.gpu:
            return torch.cuda.max_memory_allocated()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
