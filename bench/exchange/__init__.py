"""Whether other programs take an exported folder as it is."""
