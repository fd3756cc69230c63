"""One module for each family of programs: `read` gives its draft, or None for another program's texts."""
