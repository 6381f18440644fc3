"""What is kept between turns: ports, and their adapters."""
