"""What a base needs on a card, counted without loading it, and the settings that fit there."""
