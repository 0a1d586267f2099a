#!/usr/bin/env python3
"""The demo: `apo` shoots a night street and a pair of branches with built-in cameras, develops them, and shows all on one page.

demo.py demo/        # writes demo/index.html, self-contained, and the DNGs and pictures beside it
"""

import argparse
import base64
import io
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

PAIR = {"tele-apo": "Apochromatic", "tele-achromat": "Ordinary achromat"}
CROPS = ((1880, 1040), (2480, 2330))  # of the pair: left and top of what is shown pixel for pixel
STREET = ((2420, 800), (1100, 1330))  # of the night street
SIDE = (560, 420)
FRAMES = 8
QUIETLY = ["--overwrite", "--quiet"]
NO_REPAIR = ["--set", "fringes.purple=0", "--set", "fringes.green=0"]  # so that the glass is seen, not the software

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Apochromat: glass to picture</title>
<style>
  body {{ margin: 0; background: #16171a; color: #d9dadd; font: 16px/1.5 system-ui, sans-serif; }}
  main {{ max-width: 1180px; margin: 0 auto; padding: 2rem 1rem 4rem; }}
  h1, h2 {{ color: #fff; font-weight: 600; line-height: 1.2; }}
  figure {{ margin: 1rem 0 0; }}
  img {{ display: block; width: 100%; height: auto; }}
  img.part {{ width: auto; max-width: 100%; margin-top: .5rem; }}
  figcaption, .facts {{ color: #9fa2a9; font-size: .9rem; padding-top: .4rem; }}
  .pair {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 1rem; }}
  code {{ color: #ffd79a; }}
</style>
<main>
<h1>Glass to picture</h1>
<p>Nothing here was photographed. Each picture is a scene of spectra, traced through a lens of catalogued glass or plastic on to a described
sensor, written as a DNG that any RAW developer opens, and developed.</p>
<h2>A wet street at three lux</h2>
<figure><img alt="A wet street at night with lamps, neon signs and a walker" src="{night}">
<figcaption>{frames} frames out of the hand, each {night_facts}, merged. <code>apo shoot night-street --frames {frames}</code>, then
<code>apo develop --merge</code>.</figcaption></figure>
<div class="pair"><figure>{one_crops}<figcaption>The first frame alone.</figcaption></figure>
<figure>{night_crops}<figcaption>The burst merged. Both pixel for pixel.</figcaption></figure></div>
<h2>What apochromatic glass is for</h2>
<p>The same branches and the same water, the same aperture and sensor, the same processing with its fringe removal switched off. Left:
<code>tele-apo</code>, which passes the APO certificate. Right: <code>tele-achromat</code>, designed alike in ordinary glass.</p>
<div class="pair">{pair}</div>
<p class="facts">{pair_facts}. Below each picture two parts of it, pixel for pixel.</p>
</main>
</html>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    one, night, night_facts = burst(folder)
    pair = {lens: taken(folder, f"branches-{lens}", ["branches", "--lens", lens, "--ev", "0.7", "--tripod"], NO_REPAIR) for lens in PAIR}
    one_crops, crops = (parts(picture, STREET, words) for picture, words in ((one, "a part of one frame"), (night, "a part of the burst")))
    columns = "".join(column(picture, PAIR[lens]) for lens, (picture, _) in pair.items())
    page = PAGE.format(
        night=data(night.resize((1600, 1200))), night_facts=night_facts, frames=FRAMES, one_crops=one_crops, night_crops=crops,
        pair=columns, pair_facts=pair["tele-apo"][1],
    )  # fmt: skip
    (folder / "index.html").write_text(page, encoding="utf-8")
    print(f"The page is {folder / 'index.html'}; the RAW files and pictures lie beside it.")


def burst(folder):
    """Shoot the street as a burst; its first frame developed, the burst merged, and how each frame was taken."""
    raws = folder / "night"
    say("night: shooting a burst")
    told = apo("shoot", "night-street", "--seed", "0", "--frames", str(FRAMES), *QUIETLY, "--no-truth", "--json", "-o", f"{raws}/")
    files = sorted(str(path) for path in raws.glob("*.dng"))
    say("night: merging and developing it")
    apo("develop", files[0], *QUIETLY, "-o", str(folder / "night-one.jpg"))
    apo("develop", *files, "--merge", *QUIETLY, "-o", str(folder / "night.jpg"))
    one, merged = (Image.open(folder / name).convert("RGB") for name in ("night-one.jpg", "night.jpg"))
    return one, merged, exposure(json.loads(told.splitlines()[0]))


def taken(folder, name, shot, settings):
    """Shoot and develop; the picture, and how it was taken."""
    dng, jpeg = folder / f"{name}.dng", folder / f"{name}.jpg"
    say(f"{name}: shooting (the first time, the lens's point spread functions are worked out)")
    told = apo("shoot", *shot, "--opcodes", *QUIETLY, "--json", "-o", str(dng))
    apo("develop", str(dng), *QUIETLY, *settings, "-o", str(jpeg))
    return Image.open(jpeg).convert("RGB"), f"One frame, {exposure(json.loads(told))}"


def say(sentence):
    """What is being done."""
    print(sentence, file=sys.stderr, flush=True)


def exposure(facts):
    """How a frame was taken."""
    seconds = f"1/{1 / facts['exposure_s']:.0f} s" if facts["exposure_s"] < 0.5 else f"{facts['exposure_s']:.1f} s"
    return f"{seconds}, f/{facts['f_number']:.2f}, ISO {facts['iso']:.0f}"


def apo(*arguments):
    """Run the program and give back what it said on stdout."""
    done = subprocess.run([sys.executable, "-m", "apochromat", *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def column(picture, title):
    """One lens: the picture, and its crops."""
    crops = parts(picture, CROPS, f"a part, {title.lower()}")
    return f"<figure>{image(picture.resize((800, 600)), title)}<figcaption>{title}</figcaption>{crops}</figure>"


def image(picture, words, kind="whole"):
    return f'<img class="{kind}" alt="{words}" src="{data(picture)}">'


def parts(picture, places, words):
    """Parts of a picture by their left and top, pixel for pixel."""
    return "".join(image(picture.crop((x, y, x + SIDE[0], y + SIDE[1])), words, "part") for x, y in places)


def data(picture):
    """A picture as a URL that carries it."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    main()
