"""Photons to electrons to numbers: the sensor as a document, its noise, its frames, its colour (`docs/sensor.md`)."""

from apochromat.sensor.capture import Captured, capture, capture_readout, expected
from apochromat.sensor.description import Sensor, read_sensor, sensor, sensor_names
from apochromat.sensor.errors import SensorError
from apochromat.sensor.operating_point import OperatingPoint, operating_point

__all__ = [
    "Captured",
    "OperatingPoint",
    "Sensor",
    "SensorError",
    "capture",
    "capture_readout",
    "expected",
    "operating_point",
    "read_sensor",
    "sensor",
    "sensor_names",
]
