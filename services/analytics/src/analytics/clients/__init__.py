"""What leads out of the process: the stores of the lake, a cache, and figures for operators."""
