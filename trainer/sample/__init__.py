"""Draw pictures away from the rejects, and the worker that does so."""
