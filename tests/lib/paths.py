"""Where things are. CARILLON_BIN_DIR: another build (a sanitizer's, a debug one's)."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN_DIR = os.environ.get("CARILLON_BIN_DIR", os.path.join(ROOT, "zig-out", "bin"))
CARILLON = os.path.join(BIN_DIR, "carillon")
CARRIER = os.path.join(BIN_DIR, "carillon-carrier")
