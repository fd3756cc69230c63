"""ComfyUI's graphs, walked back from the node that saved the picture."""
