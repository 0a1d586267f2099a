"""Frames and pictures to numbers: how a sensor, a lens or a picture is judged. Stands above both wings."""
