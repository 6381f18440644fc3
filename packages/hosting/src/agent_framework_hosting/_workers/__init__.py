"""Several processes that serve one host: a supervisor, and what each worker does.

The supervisor binds the sockets once and hands them on; it loads no agent and answers nobody. A worker finds the host
by importing it, serves on the sockets that it got, and tells once whether it could start.
"""
