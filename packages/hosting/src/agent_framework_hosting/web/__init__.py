"""What HTTP channels share: reading bodies, writing event streams, watching for clients that leave, naming errors."""
