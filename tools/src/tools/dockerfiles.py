"""`python -m tools.dockerfiles write|check`: Dockerfiles and the lists of packages of images, from the images' catalogue."""

import sys

from images.dockerfiles import generated
from tools.generated import run_generator

if __name__ == "__main__":
    sys.exit(run_generator(generated, sys.argv[1:]))
