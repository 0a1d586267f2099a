"""The command `apo` as a user runs it: a process of its own."""

import os
import resource
import subprocess
import sys

APO = [sys.executable, "-c", "from apochromat.cli import main; main()"]


def apo(*arguments, cwd=None, prefix=(), **settings):
    """Run `apo` with these arguments and return the finished process; settings are environment variables."""
    command = [*prefix, *APO, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300)


def start(*arguments, cwd=None):
    """Start `apo` in a process group of its own, as a shell does."""
    command = [*APO, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def cpu_seconds(*arguments):
    """Processor time of one run, start-up included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    apo(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def assert_refused(process, code, *sentences):
    """One line on stderr for each sentence (part of it), in order; no traceback, nothing on stdout, and this exit code."""
    lines = process.stderr.splitlines()
    assert process.returncode == code, process.stderr
    assert len(lines) == len(sentences), process.stderr
    for line, sentence in zip(lines, sentences, strict=True):
        assert line.startswith("apo: ")
        assert sentence in line
    assert not process.stdout
