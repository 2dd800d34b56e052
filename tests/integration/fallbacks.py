"""A route whose upstream fails still answers: from another upstream, or with a text of its own."""

import unittest

from backend import hangs, resets
from harness import WeirCase, eventually, free_address, settings
from settings import ample, fallback, retry, route, to_text, to_upstream

JSON = {"Accept": "application/json"}


class Fallbacks(WeirCase):
    def falling_back(self, main, *steps, filters=(), upstream=None, **values):
        self.spare = self.backend("spare")
        return self.weir({
            "upstreams": {"api": settings.upstream(main) | (upstream or {}), "spare": settings.upstream(self.spare)},
            "routes": [route("/", "api", "all", filters=[fallback(*steps, **values), *filters])],
        })

    def test_another_upstream_answers_for_one_that_is_down(self):
        weir = self.falling_back(free_address(), to_upstream("spare"))
        response = self.fetch(weir, target="/a")
        self.assertEqual((200, "spare"), (response.status, response.json()["backend"]))
        self.assertEqual("spare", response.get("x-weir-fallback"))
        self.assertIn("FB", weir.log_of("/a")[0].flags)
        self.assertEqual(1, weir.metric(settings.FALLBACKS, route="all", step="upstream:spare", cause="connect_failure"))

    def test_nothing_is_marked_while_all_is_well(self):
        weir = self.falling_back(self.backend("main"), to_upstream("spare"))
        response = self.fetch(weir, target="/a")
        self.assertEqual("main", response.json()["backend"])
        self.assertIsNone(response.get("x-weir-fallback"))
        self.assertNotIn("FB", weir.log_of("/a")[0].flags)

    def test_each_way_to_fail(self):
        ways = {
            "reset": (self.scripted(resets), {}),
            "timeout": (self.scripted(hangs), settings.upstream_timeouts(response="200ms")),
            "503": (self.backend("busy"), {}),
        }
        for cause, (backend, upstream) in ways.items():
            with self.subTest(cause):
                weir = self.falling_back(backend, to_upstream("spare"), upstream=upstream, on=[cause])
                response = self.fetch(weir, target="/status/503" if cause == "503" else "/a")
                self.assertEqual("spare", response.get("x-weir-fallback"))
                self.assertEqual(1, weir.metric(settings.FALLBACKS, cause=cause))
                weir.stop()

    def test_a_text_when_the_spare_is_down_too(self):
        weir = self.weir({
            "upstreams": {"api": settings.upstream(free_address()), "spare": settings.upstream(free_address())},
            "routes": [route("/", "api", filters=[fallback(
                to_upstream("spare"),
                to_text(200, "nothing at {path} now\n", headers={"Cache-Control": "no-store"}))])],
        })
        response = self.fetch(weir, target="/cart")
        self.assertEqual((200, b"nothing at /cart now\n"), (response.status, bytes(response.body)))
        self.assertEqual(("respond", "no-store"), (response.get("x-weir-fallback"), response.get("cache-control")))

    def test_a_problem_instead_of_a_page_of_the_upstream_s(self):
        weir = self.falling_back(self.backend(), "problem", on=["5xx"])
        response = self.fetch(weir, target="/status/500", fields=JSON)
        self.assertEqual("application/problem+json", response.get("content-type"))
        self.assertEqual(500, response.json()["status"])

    def test_after_the_retries_of_the_first_upstream(self):
        main = self.backend("main")
        weir = self.falling_back(main, to_upstream("spare"), on=["503"],
                                 filters=[retry(**ample(on=["503"], attempts=3))])
        response = self.fetch(weir, target="/status/503")
        self.assertEqual((503, "spare"), (response.status, response.get("x-weir-fallback")))
        self.assertEqual((3, 3), (len(main.requests), len(self.spare.requests)))
        self.assertEqual(6, weir.log_of("/status/503")[0]["upstream"]["attempts"])

    def test_a_body_goes_to_the_second_upstream_whole(self):
        body = bytes(range(256)) * 200
        weir = self.falling_back(self.scripted(resets), to_upstream("spare"), on=["reset"])
        response = self.fetch(weir, "PUT", target="/a", body=body)
        self.assertEqual(len(body), response.json()["length"])
        self.assertEqual(502, self.fetch(weir, "POST", target="/a", body=body).status)
        eventually(lambda: weir.metric(settings.ENDPOINT_ACTIVE) == 0, "nothing in flight")

    def test_an_unknown_upstream_is_refused_with_its_place(self):
        told = self.refused_start({
            "upstreams": {"api": settings.upstream(free_address()), "spare": settings.upstream(free_address())},
            "routes": [route("/", "api", filters=[fallback(to_upstream("spair"))])],
        })
        self.assertIn("no upstream is named 'spair'", told)
        self.assertIn("did you mean 'spare'?", told)
        self.assertIn("^^^^^", told)


if __name__ == "__main__":
    unittest.main()
