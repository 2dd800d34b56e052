"""A request costs no more user instructions than it did when these limits were set: 3% above what was measured then, and
never more than the goal."""

import json
import os
import subprocess
import unittest

from harness import WEIR, ReleaseCase

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/bench/instructions")
MEASURED = {"h1_1k": 13_174, "h2c_1k": 21_451}
GOAL = {"h1_1k": 13_400, "h2c_1k": 23_300}
MARGIN = 1.03


class Instructions(ReleaseCase):
    def test_a_request_of_1_KiB_over_http1(self):
        self.assert_cheap("h1_1k")

    def test_a_request_of_1_KiB_over_h2c(self):
        self.assert_cheap("h2c_1k")

    def assert_cheap(self, load):
        told = subprocess.run([TOOL, load, "--weir", WEIR, "--json"], stdout=subprocess.PIPE, check=True, timeout=200).stdout
        count = json.loads(told)[load]
        print(f"\n{load}: {count} instructions, {count / MEASURED[load] - 1:+.1%}")
        self.assertLessEqual(count, min(MEASURED[load] * MARGIN, GOAL[load]))


if __name__ == "__main__":
    unittest.main()
