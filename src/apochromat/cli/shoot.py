"""`apo shoot`: a scene through a described camera, into DNGs."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apochromat.cli.errors import FAILED, UsageError, complain
from apochromat.cli.lab import require_lab
from apochromat.cli.output import say, say_json
from apochromat.cli.progress import Steps
from apochromat.cli.quantities import distance, figures, number, seconds, size

if TYPE_CHECKING:
    from apochromat.camera.exposure import Exposure
    from apochromat.light.scene import Scene
    from apochromat.shoot import Rig

FAR = math.inf
MOSTLY = 0.5  # share of clipped pixels that is said
IMAGE_LUX = 500.0  # on a picture whose light nobody states
MOST_FRAMES = 300
TRUTH = "truth"  # the folder beside the DNGs
FINDER = (96, 128)  # cells of the small scene on which it focuses


def shoot(
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="A scene (see apo scenes), or a picture file.", show_default=False)],
    camera: Annotated[str, typer.Option(help="A camera (see apo cameras), or a .toml file.")] = "flagship-2025",
    lens: Annotated[str, typer.Option(help="A module, a lens for one (tele-achromat), or a file.", show_default="its first")] = "",
    output: Annotated[str, typer.Option("--output", "-o", help="A .dng, or a folder with the truth.", show_default="SCENE/")] = "",
    frames: Annotated[str, typer.Option(help="Frames of the burst, or auto.")] = "1",
    lux: Annotated[float | None, typer.Option(help="Light on the scene's reference plane, lx.", show_default="the scene's")] = None,
    light: Annotated[str, typer.Option(help="Kind of that light: A, D65, F11, LED-B3, P2700 ...", show_default="the scene's")] = "",
    ev: Annotated[str, typer.Option(help="auto, or a correction of it in EV.")] = "auto",
    exposure: Annotated[str, typer.Option(help="Seconds, such as 1/15.", show_default="auto")] = "",
    iso: Annotated[float | None, typer.Option(help="Exposure index.", show_default="auto")] = None,
    aperture: Annotated[float | None, typer.Option(help="f-number.", show_default="open")] = None,
    bracket: Annotated[str, typer.Option(metavar="EV,EV,...", help="Exposures of the frames, by steps in EV: -3,0,2.")] = "",
    focus: Annotated[str, typer.Option(help="Distance in m, far, or auto.")] = "auto",
    tripod: Annotated[bool, typer.Option("--tripod", help="No hand tremor.")] = False,
    crop: Annotated[str, typer.Option(metavar="WxH", help="Read only the middle of the sensor.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Read every photodiode of a quad-Bayer sensor, remosaiced: 50 MP.")] = False,
    oversample: Annotated[float, typer.Option(min=1.25, max=3, help="Cells of the scene per pixel, either way.")] = 1.25,
    opcodes: Annotated[bool, typer.Option("--opcodes", help="State shading and distortion: GainMap, WarpRectilinear.")] = False,
    truth: Annotated[bool | None, typer.Option("--truth/--no-truth", help="Write the truth too.", show_default="with a folder")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of scene, noise and tremor.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress or notes on stderr.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and frame on stdout, instead of paths.")] = False,
) -> int:
    """Photograph a scene with a described camera: DNGs that any RAW developer opens, and the truth behind them."""
    require_lab("apo shoot")
    from apochromat.optics.apart import keep_lean

    keep_lean()
    steps_ev = tuple(number("--bracket", part, -12, 12) for part in bracket.split(",")) if bracket else ()
    if steps_ev and frames not in ("1", str(len(steps_ev))):
        raise UsageError(f"--bracket {bracket} names {len(steps_ev)} frames, --frames {frames}")
    count = None if frames == "auto" else round(number("--frames", frames, 1, MOST_FRAMES))
    light_of = Light(lux, light, None if exposure == "" else seconds(exposure), iso, 0.0 if ev == "auto" else number("--ev", ev, -10, 10))
    taking = Taking(scene, camera, lens, distance(focus), aperture, size(crop), full, oversample, light_of, count, steps_ev, tripod, seed)
    place = output or f"{Path(scene).stem}{os.sep}"
    steps = Steps(quiet)
    try:
        files = Files(Path(place), place.endswith(os.sep) or os.path.isdir(place), truth, opcodes, overwrite, json_lines)
        return _taken(taking, files, steps)
    except _troubles() as error:
        steps.clear()
        complain(str(error))
        return FAILED
    finally:
        steps.clear()


@dataclass(frozen=True)
class Light:
    """Light on the scene, and how it is exposed; None: as the scene or the camera has it."""

    lux: float | None
    kind: str
    exposure_s: float | None
    iso: float | None
    ev: float


@dataclass(frozen=True)
class Taking:
    """What the photographer asks for."""

    scene: str
    camera: str
    lens: str
    focus_m: float | None  # None: found from the scene
    f_number: float | None
    crop: tuple[int, int] | None
    full: bool
    oversample: float
    light: Light
    frames: int | None  # None: as the light asks for
    steps_ev: tuple[float, ...]
    tripod: bool
    seed: int


@dataclass(frozen=True)
class Files:
    """Where everything goes."""

    place: Path
    is_folder: bool
    truth: bool | None
    opcodes: bool
    overwrite: bool
    json_lines: bool

    def names(self, scene: str, count: int) -> list[Path]:
        """The DNGs of a shot; raises UsageError where several would have one name."""
        if self.is_folder:
            return [self.place / f"{scene}-{k + 1:0{max(2, len(str(count)))}d}.dng" for k in range(count)]
        if count > 1:
            raise UsageError(f"-o {self.place} names one file for {count} frames; a folder ends in {os.sep}")
        if self.place.suffix.lower() != ".dng":
            raise UsageError(f"-o {self.place}: expected a name ending in .dng, or a folder ending in {os.sep}")
        return [self.place]


def _taken(taking: Taking, files: Files, steps: Steps) -> int:
    """Scene, rig, exposure, frames, files."""
    from apochromat import shoot as twin
    from apochromat.camera.description import camera

    steps.tell("camera", 0.0)
    described = camera(taking.camera)
    small = _scene(taking, FINDER)
    rig = _rig(taking, described, twin.autofocus_m(small) if taking.focus_m is None else taking.focus_m)
    exposures = _exposures(taking, rig, small)
    names = files.names(small.name, len(exposures))
    truth = files.is_folder if files.truth is None else files.truth
    _ready(files, names, truth)
    _note(rig, small, exposures, steps)
    fields = twin.fields_of(rig, [layer.distance_m for layer in small.layers], steps.tell)  # before the scene takes its memory
    steps.tell("scene", 0.0)
    ideal = twin.ideal_image(_scene(taking, rig.ideal_shape), rig, fields, truth=truth, threads=_threads(), told=steps.tell)
    return _written(ideal, rig, replace(small, layers=()), exposures, names, taking, files, truth, steps)


def _rig(taking: Taking, described: Any, focus_m: float) -> Rig:
    from apochromat.shoot import rigged

    return rigged(
        described,
        taking.lens,
        focus_m=focus_m,
        f_number=taking.f_number,
        crop=taking.crop,
        oversample=taking.oversample,
        full=taking.full,
    )


def _scene(taking: Taking, shape: tuple[int, int]) -> Scene:
    """The scene at a size, with the light that the photographer wants."""
    from apochromat.scene import image_scene, make_scene, scene_names

    light = taking.light
    if taking.scene in scene_names() or not Path(taking.scene).suffix:
        return make_scene(taking.scene, *shape, seed=taking.seed, lux=light.lux, light=light.kind or None, painted=False)
    return image_scene(taking.scene, *shape, lux=IMAGE_LUX if light.lux is None else light.lux, light=light.kind or "D65")


def _exposures(taking: Taking, rig: Rig, scene: Scene) -> list[Exposure]:
    """Of every frame: what the camera would choose, with what the photographer has fixed."""
    from apochromat.camera.exposure import automatic, fixed
    from apochromat.shoot import bracketed

    converter, light = rig.sensor.converter, taking.light
    limits = converter.base_iso.value, converter.most_iso.value, 4.0 if taking.tripod else rig.module.motion_limit_s.value
    found = automatic(scene.illuminance_lx, rig.seen.f_number, rig.module.transmission.value, *limits, ev=light.ev)
    found = fixed(found, light.exposure_s, light.iso, *limits[:2])
    if taking.steps_ev:
        return bracketed(found, taking.steps_ev)
    return [found] * (taking.frames or found.frames)


def _ready(files: Files, names: list[Path], truth: bool) -> None:
    """Refuse, before the work, what cannot be written."""
    from apochromat.picture.files import refuse_existing
    from apochromat.shot_files import truth_names

    folder = files.place if files.is_folder else files.place.parent
    if not files.is_folder and not folder.is_dir():
        raise UsageError(f"-o {files.place}: expected a folder that exists, found none")
    try:
        (folder / TRUTH if truth else folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"expected a folder that can be written, found {folder}: {(error.strerror or str(error)).lower()}") from error
    for name in (*names, *(truth_names(folder / TRUTH, [n.stem for n in names]) if truth else ())):
        refuse_existing(name, files.overwrite)


def _note(rig: Rig, scene: Scene, exposures: list[Exposure], steps: Steps) -> None:
    """What a photographer would want to know before the picture."""
    first = exposures[0]
    exposed = f"1/{1 / first.exposure_s:.0f} s" if first.exposure_s < 0.5 else f"{figures(first.exposure_s)} s"
    steps.note(
        f"{scene.name} at {figures(scene.illuminance_lx)} lx ({scene.reference}), {rig.camera.name} {rig.module.name}: "
        f"{len(exposures)} x {exposed}, f/{rig.seen.f_number:.2f}, ISO {first.iso:.0f}"
    )
    if rig.covers < 0.995:
        steps.note(f"{rig.module.lens} does not cover the sensor: beyond {100 * rig.covers:.0f} % of the way to the corner it is dark")


def _written(
    ideal: Any,
    rig: Rig,
    scene: Scene,
    exposures: list[Exposure],
    names: list[Path],
    taking: Taking,
    files: Files,
    truth: bool,
    steps: Steps,
) -> int:
    """Frames as they come."""
    from apochromat import shot_files
    from apochromat.shoot import shoot as frames_of

    folder = names[0].parent / TRUTH
    shots = []
    for k, shot in enumerate(frames_of(ideal, rig, exposures, seed=taking.seed, still=taking.tripod, threads=_threads())):
        steps.tell("frames", k / len(names))
        shot_files.write_shot(shot, rig, scene, names[k], opcodes=files.opcodes, overwrite=files.overwrite, threads=_threads())
        if truth:
            shot_files.write_frame_truth(shot, rig, folder, names[k].stem, files.overwrite)
        if shot.clipped > MOSTLY:
            steps.note(f"{names[k].name}: {100 * shot.clipped:.0f} % of the pixels are clipped; a lower --ev or --lux keeps them")
        shots.append((names[k].name, replace(shot, mean=shot.mean[:0])))
        steps.clear()
        _tell(names[k], shot, rig, files.json_lines)
    if truth:
        shot_files.write_truth(ideal, rig, scene, shots, folder, files.overwrite)
    return 0


def _tell(path: Path, shot: Any, rig: Rig, json_lines: bool) -> None:
    """One frame on stdout."""
    if not json_lines:
        say(str(path))
        return
    exposure = {"exposure_s": shot.exposure.exposure_s, "iso": shot.exposure.iso, "f_number": rig.seen.f_number, "ev": shot.exposure.ev}
    say_json({"file": str(path), **exposure, "start_s": shot.start_s, "clipped": shot.clipped, **shot.movement})


def _threads() -> int:
    return max(1, min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 16))


def _troubles() -> tuple[type[Exception], ...]:
    """What may be wrong with what the user gave."""
    from apochromat.picture.errors import PictureError
    from apochromat.raw.errors import RawError

    return PictureError, RawError, ValueError, OSError
