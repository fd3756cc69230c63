"""The playground: one prompt and the same seeds, drawn by two versions, each at a strength."""
