"""A start with few descriptors serves, or ends with the reason. Sanitizers need descriptors of their own."""

import unittest

from harness import ReleaseCase, Weir, eventually
from settings import answers


class FewDescriptors(ReleaseCase):
    def test_they_are_enough_or_the_reason_of_the_end(self):
        started = 0
        for most in range(4, 64, 2):
            with self.subTest(most):
                weir = Weir({"workers": 2, "routes": [answers(200, "hello")]}, launcher=["prlimit", f"--nofile={most}"])
                weir.spawn()
                self.addCleanup(weir.stop)
                eventually(weir.is_ready_or_dead, f"ready, or ended:\n{weir.stderr()}")
                if weir.process.poll() is None:
                    started += 1
                    weir.stop()
                    continue
                told = weir.stderr()
                weir.discard()
                self.assertRegex(told, "[Tt]oo many open files|can't be (read|opened|started)")
                self.assertNotIn("terminate called", told)
        self.assertGreater(started, 0)


if __name__ == "__main__":
    unittest.main()
