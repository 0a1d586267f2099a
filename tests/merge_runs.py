"""Small bursts on disk, `apo merge` run on them, and what came out."""

from dataclasses import replace

import numpy as np
from burst_scenes import Scene, light_of, truth
from command import apo

from apochromat import raw

SCENE = Scene(160, 208)


def files_of(folder):
    """Names of all files below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def psnr(path, pose=None):
    """Of a merged file against the truth, borders aside."""
    error = light_of(raw.read(path)) - truth(SCENE, pose)
    return -10 * np.log10(np.mean(np.square(error[24:-24, 24:-24])))


def merge(*arguments, cwd, **settings):
    return apo("merge", *arguments, cwd=cwd, **settings)


def at(frames, second, **facts):
    """The frames as taken at another second of the same night."""
    return [replace(f, metadata={**f.metadata, "datetime": f"2026:03:01 22:11:{second:02d}", **facts}) for f in frames]
