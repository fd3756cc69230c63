"""Do imported pictures teach as much as sampled ones?"""
