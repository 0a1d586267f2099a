"""What is wrong with a camera document or a wish of the photographer."""


class CameraError(ValueError):
    """One sentence: what was expected, what was found, in which file."""
