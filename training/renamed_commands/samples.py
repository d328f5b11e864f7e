"""Old name of `training.evaluation.scenes.samples`."""

import sys

from training.renamed_commands import print_new_name

if __name__ == "__main__":
    sys.exit(print_new_name("samples"))
