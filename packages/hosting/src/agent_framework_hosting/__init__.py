"""Serve one Microsoft Agent Framework agent over many channels."""

from ._project import __version__

__all__ = ["__version__"]
