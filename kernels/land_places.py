"""The ideal image at single places, by `land`: what is looked at again beside lamps, and what a test wants to see anywhere.

Schedule: that of `land`, with a tile of the list for one of a row. It is short: 1.2 % of a night street's pixels.
"""

import halide as hl
from land import TILE, Inputs, Landing

k = hl.Var("k")


@hl.generator(name="land_places")
class LandPlaces(Inputs, hl.Generator):
    down = hl.InputBuffer(hl.Float(64), 1)  # cells from the middle, before distortion
    right = hl.InputBuffer(hl.Float(64), 1)
    color = hl.InputBuffer(hl.Int(32), 1)
    row = hl.InputBuffer(hl.Int(32), 1)  # of the motion
    found = hl.OutputBuffer(hl.Float(32), 1)

    def generate(g):
        within = hl.clamp(k, 0, g.row.dim(0).extent() - 1)  # a tile's rest takes the last again
        landing = Landing(g, (k,), *(given[within] for given in (g.down, g.right, g.color, g.row)))
        g.found[k] = landing.value
        tile, lanes, guard = hl.Var("tile"), g.natural_vector_size(hl.Float(32)), hl.TailStrategy.GuardWithIf
        g.found.split(k, tile, k, TILE, guard).vectorize(k, lanes)
        landing.schedule(g, g.found, tile)


if __name__ == "__main__":
    hl.main()
