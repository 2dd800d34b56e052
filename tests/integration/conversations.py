"""20 s of random conversations, as client and as endpoint: nothing hangs, nothing is lost, nothing is left over."""

import asyncio
import os
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../chaos"))
import chaos  # noqa: E402


class Conversations(unittest.TestCase):
    def test_20_seconds_of_random_conversations(self):
        self.assertTrue(asyncio.run(chaos.search(seconds=20)), "see above; tools/chaos plays it again and finds the fewest conversations")


if __name__ == "__main__":
    unittest.main()
