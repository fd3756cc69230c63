"""What a version is trained on."""
