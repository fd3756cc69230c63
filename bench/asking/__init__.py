"""Does it save votes to ask what teaches most?"""
