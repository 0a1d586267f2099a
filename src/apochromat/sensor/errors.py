"""The one error of sensor documents and exposures."""


class SensorError(ValueError):
    """A sensor that cannot be read, or an exposure it cannot make; one sentence: what was expected, what was found, in which file."""
