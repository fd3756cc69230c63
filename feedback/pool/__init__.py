"""When a picture counts as rejected, the counters, and the pool of rejects."""
