"""The platform's container images: which there are, how they are written down, built and described."""
