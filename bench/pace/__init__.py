"""How many pictures a minute each way of sampling draws, and whether they are as good."""
