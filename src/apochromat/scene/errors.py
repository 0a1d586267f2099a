"""The one error of scenes."""


class SceneError(ValueError):
    """A scene that cannot be made or read; the message is one sentence: what was expected, what was found, in which file."""
