"""Where pictures, latents, versions and checkpoints are kept for every machine: a bucket, or a folder by URL."""
