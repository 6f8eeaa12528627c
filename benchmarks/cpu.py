"""Processor time and memory of a process and its children, as the operating system counts them."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def keep_apart() -> None:
    """Leave the first processor to what is measured, where there is more than one: this process keeps to the second."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})


def kept_apart() -> bool:
    """Tell whether what is measured is bound to the first processor, and what is beside it to the second."""
    return (os.cpu_count() or 1) > 1 and os.sched_getaffinity(0) == {1}


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        for children in PROC.glob(f"{one}/task/*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def processor_seconds(pid: int) -> float:
    """Return how long a process tree has run on a processor, from the scheduler's own nanoseconds."""
    total = 0
    for one in tree(pid):
        for stat in PROC.glob(f"{one}/task/*/schedstat"):
            total += int(stat.read_text().split()[0])
    return total / 1e9


def processor_seconds_ever(pid: int) -> float:
    """Return the same with what ended children had used; their time is known to a hundredth of a second only."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return processor_seconds(pid) + sum(int(ticks) for ticks in fields[13:15]) / os.sysconf("SC_CLK_TCK")


def parent_of(pid: int) -> int | None:
    """Return the process that started another one; nothing for one that is not on this machine."""
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """Return the memory that a process tree holds."""
    page = os.sysconf("SC_PAGE_SIZE")
    return sum(int((PROC / str(one) / "statm").read_text().split()[1]) * page for one in tree(pid))
