"""What one worker of a store does beside drawing."""
