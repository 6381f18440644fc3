"""Workflows as targets: their instances, their checkpoints, their pauses."""
