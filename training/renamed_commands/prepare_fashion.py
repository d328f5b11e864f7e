"""Old name of `training.prepare.fashion`."""

import sys

from training.renamed_commands import print_new_name

if __name__ == "__main__":
    sys.exit(print_new_name("prepare_fashion"))
