"""Many files: each developed on its own, so that a bad one costs itself only; several at once in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from apochromat import chain, recipe
from apochromat.explain import Explanation
from apochromat.light.raw_frame import RawFrame
from apochromat.native import KernelError
from apochromat.native.pages import keep_pages
from apochromat.picture import PictureError, format_of, write
from apochromat.picture.files import refuse_existing
from apochromat.picture.xmp import recipe_hash
from apochromat.raw import RawError, read_isolated
from apochromat.recipe import RecipeError

if TYPE_CHECKING:
    from apochromat.bursts import Burst


@dataclass(frozen=True)
class Options:
    """How to develop, for every file of a batch. `files` are recipes from --recipe, `settings` those from --set, which win."""

    files: recipe.Recipe = field(default_factory=dict)
    settings: recipe.Recipe = field(default_factory=dict)
    until: str | None = None
    rendering: str = "natural"
    quality: int = 92
    depth: int | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Task:
    """One RAW file, the picture to be made of it, and where its explanation goes, if anywhere.

    burst: the burst to be merged first, with `raw` its first file; its edits are that file's.
    """

    raw: Path
    output: Path
    options: Options
    explanation: Path | None = None
    burst: Burst | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a task: the files written, and the sentence that says why one is missing."""

    task: Task
    written: tuple[Path, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    recipe_hash: str = ""
    seconds: float = 0.0


def develop_file(task: Task) -> Outcome:
    """Develop one file; never raises for anything that is wrong with it, its recipe or its output."""
    start = time.monotonic()
    try:
        outcome = _develop(task)
    except (RawError, PictureError, RecipeError, KernelError, ValueError) as error:
        outcome = Outcome(task, error=_named(task, str(error)))
    except MemoryError:
        outcome = Outcome(task, error=_named(task, "developing needs more memory than there is"))
    except Exception as error:
        outcome = Outcome(task, error=_named(task, f"an error inside the program ({type(error).__name__}: {error})"))
        if os.environ.get("APO_DEBUG"):
            traceback.print_exc()
    return Outcome(task, outcome.written, outcome.error, outcome.notes, outcome.recipe_hash, time.monotonic() - start)


def _named(task: Task, sentence: str) -> str:
    """The sentence on one line, with the file's name in it."""
    sentence = " ".join(sentence.split())
    known = any(str(path) in sentence for path in (task.raw, task.output, task.explanation) if path)
    return sentence if known else f"{task.raw}: {sentence}"


def _develop(task: Task) -> Outcome:
    options = task.options
    for path in filter(None, (task.output, task.explanation)):
        refuse_existing(path, options.overwrite)
    sidecar = recipe.sidecar_of(task.raw)
    edits = recipe.load(sidecar) if os.path.isfile(sidecar) else {}
    finished = options.until in (None, chain.stages()[-1].name)
    depth = format_of(task.output).depth("display" if finished else "linear", options.depth)
    frame, error = _frame(task)
    explanation = Explanation(frame) if task.explanation else None
    rendition = chain.develop(
        frame,
        recipe.checked(recipe.merged(edits, options.files, options.settings), str(task.raw)),
        until=options.until,
        rendering=options.rendering,
        bits=8 if depth == 8 else 16,
        tap=explanation.add if explanation else None,
    )
    written = [write(rendition, task.output, quality=options.quality, overwrite=options.overwrite, depth=depth)]
    if explanation and task.explanation:
        try:
            written.append(explanation.write(task.explanation, overwrite=options.overwrite))
        except PictureError as reason:  # the picture is there all the same
            error = f"{error}; {reason}" if error else str(reason)
    return Outcome(task, tuple(written), error, rendition.notes, recipe_hash(rendition.recipe))


def _frame(task: Task) -> tuple[RawFrame, str]:
    """The frame to develop, a burst merged into one, and a sentence about its frames that could not be read."""
    if task.burst is None:
        return read_isolated(task.raw), ""
    from apochromat import bursts

    result = bursts.merge_burst(task.burst)
    frame = result.merged.frame
    return replace(frame, notes=(*frame.notes, *result.notes)), "; ".join(result.complaints)


def run(tasks: Sequence[Task], jobs: int = 1) -> Iterator[Outcome]:
    """Develop all tasks, at most `jobs` at a time, and yield each outcome as it comes.

    jobs is lowered to the number of cores and of tasks; each worker process then gets its share of the cores. Closing the iterator
    early, as Ctrl-C does, ends the workers, which take their unfinished files with them.
    """
    cores = len(os.sched_getaffinity(0))
    jobs = max(1, min(jobs, cores, len(tasks)))
    if jobs == 1:
        yield from map(develop_file, tasks)
        return
    todo = list(reversed(tasks))
    busy: dict[Connection, _Worker] = {}
    try:
        for _ in range(jobs):
            _hand_out(_Worker(cores // jobs), todo, busy)
        while busy:
            for connection in [c for c in wait(list(busy)) if isinstance(c, Connection)]:
                worker = busy.pop(connection)
                outcome = worker.outcome()
                _hand_out(worker if worker.process.is_alive() else _Worker(cores // jobs), todo, busy)
                yield outcome
    finally:
        for worker in busy.values():
            worker.end()


def _hand_out(worker: _Worker, todo: list[Task], busy: dict[Connection, _Worker]) -> None:
    """Give a worker the next task, or send it home."""
    if todo:
        worker.start(todo.pop())
        busy[worker.connection] = worker
    else:
        worker.end()


class _Worker:
    """A process that develops one file after the other with `threads` threads."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        self.task: Task | None = None
        # Ctrl-C is the parent's business: the child inherits the blocked signal, the parent gets what came meanwhile. Multiprocessing's
        # own helper unblocks the signal when it starts, so it has to run before.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()

    def start(self, task: Task) -> None:
        self.task = task
        with suppress(BrokenPipeError):  # a worker that has died is noticed when its outcome is asked for
            self.connection.send(task)

    def outcome(self) -> Outcome:
        """The outcome of the task in hand; a worker that died with it has failed it."""
        assert self.task is not None
        try:
            return self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            return Outcome(self.task, error=f"{self.task.raw}: the process that developed it died ({_ending(self.process.exitcode)})")

    def end(self) -> None:
        """End the process; what it was writing is removed."""
        self.connection.close()
        self.process.terminate()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _ending(exitcode: int | None) -> str:
    return signal.Signals(-exitcode).name if exitcode and exitcode < 0 else f"exit code {exitcode}"


def _serve(connection: Connection, threads: int) -> None:
    """The worker's life: tasks in, outcomes out, until the parent hangs up or ends it."""
    os.environ["HL_NUM_THREADS"] = str(threads)
    keep_pages()
    signal.signal(signal.SIGTERM, _stop)
    with suppress(EOFError, ConnectionError):
        while True:
            connection.send(develop_file(connection.recv()))


def _stop(*_: Any) -> NoReturn:
    """Leave through every `finally` on the way, so that temporary files go."""
    raise SystemExit(1)
