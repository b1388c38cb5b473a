"""`make events`: write every generated file anew."""

import sys

from tools.check import GENERATED
from tools.steps import Step, python, run_all

if __name__ == "__main__":
    sys.exit(run_all([Step(module, python("-m", module, "write")) for module in GENERATED], then="git diff, then make check"))
