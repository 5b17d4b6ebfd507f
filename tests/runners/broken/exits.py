"""A module that ends whatever imports it."""

import sys

sys.exit(3)
