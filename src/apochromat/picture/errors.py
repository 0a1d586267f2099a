"""What can go wrong when a picture is written; every message is one sentence that names the file."""


class PictureError(Exception):
    """A picture could not be written."""


class UnknownFormat(PictureError):
    """The file name's extension is not one this program writes."""


class OutputExists(PictureError):
    """The output is there already and replacing it was not asked for."""
