"""Side-by-side measurements and the simulated raters."""
