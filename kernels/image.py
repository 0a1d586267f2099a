"""Words the builders share: an image is a Func (x, y) -> (r, g, b)."""


def channels(image, x, y):
    """The three channel expressions of `image` at (x, y)."""
    return [image[x, y][i] for i in range(3)]
