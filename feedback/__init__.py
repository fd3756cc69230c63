"""The rules of the loop: what is shown next, what a vote means, what is in the pool, which version is live."""
