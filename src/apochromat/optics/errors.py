"""The one error of lens documents and lens files."""


class LensError(ValueError):
    """A lens that cannot be read, built or written; the message is one sentence: what was expected, what was found, in which file."""
