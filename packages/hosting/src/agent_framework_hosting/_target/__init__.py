"""What is served, seen by the pipeline in one shape."""
