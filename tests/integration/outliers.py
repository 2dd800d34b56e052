"""Outlier detection: endpoints are put aside for what they answer."""

import unittest

from harness import eventually, settings
from health_checks import HealthCase
from wire import fetch


class Outliers(HealthCase):
    def judged(self, *backends, workers=1, endpoint=lambda number: {}, **outlier):
        return self.guarded(*backends, check=False, workers=workers, endpoint=endpoint,
                            outlier_detection={"interval": "100ms", "base_ejection_time": "10m"} | outlier)

    def trio(self):
        return [self.patient(name) for name in "abc"]

    def ask(self, weir, count=1):
        client = self.client(weir)
        return [client.get("/").status for _ in range(count)]

    def test_five_5xx_in_a_row_put_an_endpoint_aside(self):
        backends = self.trio()
        weir = self.judged(*backends, workers=2)
        backends[0].failing = True
        statuses = self.ask(weir, 60)
        self.assertEqual(5, statuses.count(500))
        told = self.endpoint(weir, backends[0])
        self.assertEqual(("ejected", "outlier"), (told["health"], told["by"]))
        self.assertRegex(told["why"], r"consecutive_5xx.* for 10m")
        self.assertEqual({"b", "c"}, self.who(weir))
        self.assertEqual(1, weir.metric("weir_outlier_ejections_total", upstream="api", cause="consecutive_5xx"))
        weir.says(r"endpoint_health_changed .* to=ejected by=outlier")

    def test_a_dead_endpoint_is_put_aside(self):
        backends = self.trio()
        weir = self.judged(*backends)
        backends[0].stop()
        statuses = self.ask(weir, 60)
        self.assertEqual(0, len([status for status in statuses if status != 200]), statuses)
        self.assertEqual(0, weir.metric("weir_retries_total"), "failover needs no retry")

    def test_one_that_hangs_is_put_aside(self):
        backends = self.trio()
        weir = self.guarded(*backends, check=False, outlier_detection={"consecutive_5xx": 2},
                            **settings.upstream_timeouts(response="1s"))
        backends[0].delay = 10
        statuses = self.ask(weir, 12)
        self.assertEqual(2, statuses.count(504), statuses)
        self.assertEqual("ejected", self.health(weir, backends[0]))

    def test_an_ejection_ends(self):
        backends = self.trio()
        weir = self.judged(*backends, base_ejection_time="100ms")
        backends[0].failing = True
        self.ask(weir, 15)
        backends[0].failing = False
        self.becomes(weir, backends[0], "up")
        self.assertEqual({"a", "b", "c"}, self.who(weir))

    def test_of_a_small_pool_one_alone_may_go(self):
        backends = self.trio()
        weir = self.judged(*backends)
        for backend in backends:
            backend.failing = True
        self.ask(weir, 60)
        states = [self.health(weir, backend) for backend in backends]
        self.assertEqual(1, states.count("ejected"), states)
        self.assertGreater(weir.metric("weir_outlier_ejections_withheld_total", upstream="api"), 0)

    def test_a_passing_check_ends_an_ejection_unless_told_not_to(self):
        for ends in (True, False):
            with self.subTest(ends=ends):
                a, b = self.patient("a"), self.patient("b")
                weir = self.guarded(a, b, outlier_detection={"uneject_on_check": ends})
                a.failing = True
                self.ask(weir, 10)
                eventually(lambda: weir.metric("weir_outlier_ejections_total", upstream="api") == 1, "an ejection")
                seen = len(a.checks)
                eventually(lambda: len(a.checks) > seen + 2, "checks")
                self.assertEqual("up" if ends else "ejected", self.health(weir, a))

    def test_an_operator_ends_an_ejection(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.judged(a, b)
        a.failing = True
        self.ask(weir, 10)
        self.assertEqual("ejected", self.health(weir, a))
        self.assertEqual(200, fetch(weir.admin, "POST", f"/upstreams/api/endpoints/{a}/up").status)
        self.assertEqual("up", self.health(weir, a))

    def test_an_ejection_outlives_a_reload_and_ends_without_the_setting(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.judged(a, b)
        a.failing = True
        self.ask(weir, 10)
        weir.reload(self.config(workers=2))
        self.assertEqual("ejected", self.health(weir, a))
        del self.block["outlier_detection"]
        weir.reload(self.config())
        self.assertEqual("up", self.health(weir, a))

    def test_who_answers_worse_than_the_others_is_put_aside(self):
        backends = [self.patient(name) for name in "abcde"]
        weir = self.judged(*backends, consecutive_5xx=0, success_rate={"request_volume": 10, "stdev_factor": 1.5},
                           interval="300ms")
        backends[0].failing = True

        def ejected():
            self.ask(weir, 100)
            return self.health(weir, backends[0]) == "ejected"

        eventually(ejected, "an ejection")
        self.assertRegex(self.endpoint(weir, backends[0])["why"], r"success_rate: 0\.0% answered well, of all 80\.0%")

    def test_who_fails_too_often_is_put_aside(self):
        backends = self.trio()
        weir = self.judged(*backends, consecutive_5xx=0, success_rate="none",
                           failure_percentage={"threshold": "50%", "minimum_hosts": 1, "request_volume": 10},
                           interval="300ms")
        backends[0].failing = True

        def ejected():
            self.ask(weir, 60)
            return self.health(weir, backends[0]) == "ejected"

        eventually(ejected, "an ejection")

    def test_it_is_off_until_it_is_configured(self):
        a, b = self.patient("a"), self.patient("b")
        weir = self.guarded(a, b, check=False)
        a.failing = True
        self.assertEqual(20, self.ask(weir, 40).count(500))


if __name__ == "__main__":
    unittest.main()
