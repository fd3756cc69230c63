"""The figures that pages show."""
