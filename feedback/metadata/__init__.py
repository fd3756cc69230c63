"""What other programs wrote into their pictures: prompt, seed and settings, and how far that can be trusted.

`read.read_picture` is the only entry. `files` knows kinds of files, `tools` the programs that write them, `graph`
ComfyUI's graphs. Nothing here guesses: what does not stand in the file stays unknown, and says why.
"""
