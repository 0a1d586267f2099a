"""One frame of a bracket added to the merge: as burst_add, but edges of extreme contrast are interpolated.

Algorithm: the edge of a lamp may be a hundred times as bright as what lies a pixel off, and where other frames clip, one short frame may
be all there is. There the nearest samples of three colours, each off by something else, would not fit together: where the four samples of
a colour around the place looked at differ by more than the factor EDGE, what lies between them is taken, bilinear.
Schedule: that of burst_add, with four loads for one.
"""

import halide as hl
from burst_add import accumulate

EDGE = 4


def extremes(values):
    """The lowest and the highest of values."""
    lowest = highest = values[0]
    for value in values[1:]:
        lowest, highest = hl.min(lowest, value), hl.max(highest, value)
    return lowest, highest


def extreme(lowest, highest, dark, edge):
    """0 where values differ by less than the factor `edge`, 1 from twice that; what is below `dark` counts as that."""
    return hl.clamp(highest / (edge * hl.max(lowest, dark)) - 1, 0, 1)


@hl.generator(name="burst_add_edges")
class BurstAddEdges(hl.Generator):
    samples = hl.InputBuffer(hl.Float(32), 3)  # as of burst_add, and so on
    flow = hl.InputBuffer(hl.Float(32), 3)
    trust = hl.InputBuffer(hl.Float(32), 2)
    gain = hl.InputScalar(hl.Float(32))
    isolated = hl.InputScalar(hl.Float(32))
    clipped = hl.InputScalar(hl.Float(32))
    dark = hl.InputScalar(hl.Float(32))  # value below which samples show no contrast
    before = hl.InputBuffer(hl.Float(32), 5)
    sums = hl.OutputBuffer(hl.Float(32), 5)

    def generate(g):
        accumulate(g, g.light)

    def light(g, near, across, along):
        """The nearest sample or, at an extreme edge, what lies between the four around the place."""
        right, down = (hl.select(n < 0, -1, 1) for n in (across, along))
        here, beside, below, apart = near(), near(right), near(0, down), near(right, down)
        across, along = hl.abs(across), hl.abs(along)
        above, under = here + across * (beside - here), below + across * (apart - below)
        return here + extreme(*extremes([here, beside, below, apart]), g.dark, EDGE) * (above + along * (under - above) - here)


if __name__ == "__main__":
    hl.main()
