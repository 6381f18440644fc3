"""Reading what callers send, for every channel: JSON bodies, single values, pictures and files; no I/O."""
