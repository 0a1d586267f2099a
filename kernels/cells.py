"""A mosaic's buffer by its 2x2 cells."""


def by_cells(buffer):
    """Tell Halide that a buffer is (column parity, cell x, row parity, cell y, ...) over a mosaic, so that pairs of loads are dense."""
    buffer.dim(0).set_bounds(0, 2).set_stride(1)
    buffer.dim(1).set_min(0).set_stride(2)
    buffer.dim(2).set_bounds(0, 2)
    buffer.dim(3).set_min(0)
