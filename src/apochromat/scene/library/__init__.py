"""The built-in scenes, one a file."""
