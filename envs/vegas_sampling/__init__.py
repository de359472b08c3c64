"""The game of adapting a VEGAS grid, and the compiled kernels of VEGAS."""
