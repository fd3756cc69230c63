"""Does the loop help? Simulated raters, controls, evidence."""
