"""Accepted work: kept, run in order, tried again, and given up."""
