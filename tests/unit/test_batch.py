"""Batches: cores shared out, and a worker that dies costs the file it had in hand."""

import os
import signal
from multiprocessing import Pipe, active_children

import pytest

from apochromat import batch
from apochromat.batch import Options, Outcome, Task


class FakeWorker:
    """Answers at once; the pipe of a real worker is stood in for by one that is always ready."""

    threads: list[int] = []  # noqa: RUF012

    def __init__(self, threads):
        self.threads.append(threads)
        self.connection, self.far = Pipe()
        self.process = self

    def is_alive(self):
        return True

    def start(self, task):
        self.far.send(Outcome(task))

    def outcome(self):
        return self.connection.recv()

    def end(self):
        self.connection.close()


@pytest.mark.parametrize(("cores", "jobs", "files"), [(8, 3, 10), (2, 64, 10), (4, 4, 2), (16, 5, 7)])
def test_jobs_times_threads_never_exceeds_the_cores(monkeypatch, tmp_path, cores, jobs, files):
    monkeypatch.setattr(FakeWorker, "threads", [])
    monkeypatch.setattr(batch, "_Worker", FakeWorker)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores))
    tasks = [Task(tmp_path / f"{n}.dng", tmp_path / f"{n}.jpg", Options()) for n in range(files)]
    outcomes = list(batch.run(tasks, jobs))
    assert sorted(o.task.raw.name for o in outcomes) == sorted(t.raw.name for t in tasks)
    assert len(FakeWorker.threads) == min(jobs, cores, files)
    assert sum(FakeWorker.threads) <= cores


def test_worker_uses_its_share_of_the_cores(monkeypatch):
    ours, theirs = Pipe()
    ours.close()
    monkeypatch.setenv("HL_NUM_THREADS", "9")
    monkeypatch.setattr(batch, "keep_pages", lambda: None)  # this process is not a worker
    before = signal.getsignal(signal.SIGTERM)
    try:
        batch._serve(theirs, 3)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert os.environ["HL_NUM_THREADS"] == "3"


class MortalWorker(batch._Worker):
    """A worker that is killed when it is handed the bad file."""

    def start(self, task):
        if task.raw.name == "bad.dng":
            self.process.kill()
            self.process.join()
        super().start(task)


def test_worker_that_dies_costs_its_file(monkeypatch, tmp_path):
    monkeypatch.setattr(batch, "_Worker", MortalWorker)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2))
    names = ["bad.dng", "1.dng", "2.dng", "3.dng"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    tasks = [Task(tmp_path / name, tmp_path / f"{name}.tiff", Options(until="linearise")) for name in names]
    errors = {outcome.task.raw.name: outcome.error for outcome in batch.run(tasks, 2)}
    assert errors.pop("bad.dng") == f"{tmp_path}/bad.dng: the process that developed it died (SIGKILL)"
    assert len(errors) == 3
    assert all(error.endswith("found an empty file") for error in errors.values())
    assert not active_children()
