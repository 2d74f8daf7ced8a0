#!/usr/bin/env python3
"""Measures `moirai dump` and `moirai top` on a process whose thread pool is blocked to the last thread. See docs/performance.md.

    dotnet build -c Release && python3 eng/measure-moirai.py [tasks]
"""
import datetime
import os
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOL = f"{ROOT}/artifacts/bin/Moirai.Tool/release/moirai"
PROBE = f"{ROOT}/artifacts/bin/Moirai.ToolProbe/release/Moirai.ToolProbe.dll"
ROUNDS = 9


def say(process, what):
    process.stdin.write(what + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def processor_time(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(process, *arguments):
    clock, tool, inside = [], [], []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        in_process = processor_time(process.pid)
        began = time.monotonic()
        subprocess.run([TOOL, *arguments, "-p", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
        clock.append(time.monotonic() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        tool.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        inside.append(processor_time(process.pid) - in_process)
    print(f"moirai {' '.join(arguments):22} on the clock {statistics.median(clock):.2f} s (least {min(clock):.2f}), "
          f"processor: tool {statistics.median(tool):.2f} s, process {statistics.median(inside):.2f} s")


def lag(process):
    """From the moment that a picture shows to its being written. The picture tells tenths, cut off, so this is up to 0.1 s too much."""
    top = subprocess.Popen([TOOL, "top", "-p", str(process.pid), "--every", "100", "--count", "60"], stdout=subprocess.PIPE, text=True)
    lags = []
    for line in top.stdout:
        if line.startswith("moirai top"):
            now = datetime.datetime.now(datetime.timezone.utc)
            shown = datetime.datetime.strptime(line.split()[-1], "%H:%M:%S.%fZ")
            lags.append((now - now.replace(hour=shown.hour, minute=shown.minute, second=shown.second, microsecond=shown.microsecond)).total_seconds())
    lags = sorted(lags[10:])
    print(f"moirai top: a picture is written {statistics.median(lags) * 1000:.0f} ms after its moment (median), {lags[int(len(lags) * 0.95)] * 1000:.0f} ms (95 of 100), {lags[-1] * 1000:.0f} ms (latest)")


count = sys.argv[1] if len(sys.argv) > 1 else "10000"
probe = subprocess.Popen(["dotnet", PROBE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
try:
    assert probe.stdout.readline() == "done\n"
    say(probe, f"spawn {count}")
    say(probe, "block")
    measure(probe, "dump")
    measure(probe, "dump", "--json")
    measure(probe, "tree")
    lag(probe)
    print("load average:", open("/proc/loadavg").read().split()[0])
finally:
    probe.kill()
