"""What the Python tests share: an engine in a folder of its own, a simulated carrier, a PostgreSQL server, free ports."""
