"""The process log: levels, formats, and events that explain what Weir decided."""

import json
import re
import unittest

from certificates import Authority
from harness import WeirCase, fetch, free_address, settings



def read(path):
    with open(path) as file:
        return file.read()


class ProcessLog(WeirCase):
    def level(self, weir, word=None):
        if word is None:
            return json.loads(fetch(weir.admin, target="/log_level").body)["level"]
        return fetch(weir.admin, "POST", f"/log_level?level={word}")

    def test_the_level_changes_at_run_time_and_a_reload_keeps_it(self):
        weir = self.in_front_of(self.backend())
        self.assertEqual("info", self.level(weir))
        self.fetch(weir, target="/before")
        self.assertEqual(200, self.level(weir, "debug").status)
        self.assertEqual("debug", self.level(weir))
        weir.says("log_level_changed from=info to=debug")
        self.fetch(weir, target="/explained")
        weir.says("route_chosen .*path=/explained")
        self.assertNotIn("/before", weir.stderr())
        weir.reload()
        self.assertEqual("debug", self.level(weir))
        self.level(weir, "error")
        self.fetch(weir, target="/silent")
        self.level(weir, "debug")
        self.fetch(weir, target="/loud")
        weir.says("route_chosen .*path=/loud")
        self.assertNotIn("/silent", weir.stderr())

    def test_a_reload_with_another_level_sets_it(self):
        weir = self.in_front_of(self.backend(), log={"level": "warn"})
        self.assertEqual("warn", self.level(weir))
        text = read(weir.file)
        weir.configure(text.replace('"warn"', '"debug"'))
        weir.reload()
        self.assertEqual("debug", self.level(weir))

    def test_an_unknown_level_is_refused_with_its_reason(self):
        weir = self.in_front_of(self.backend())
        for word in ("loud", ""):
            refused = self.level(weir, word)
            self.assertEqual(400, refused.status)
            self.assertIn(b"debug", refused.body)
        self.assertEqual("info", self.level(weir))

    def test_debug_events_explain_route_endpoint_retry_circuit_and_cache(self):
        backend = self.backend()
        filters = ["request_id", {"cache": {"ttl": "1m"}}, {"retry": {"attempts": 2, "on": [503]}}]
        upstream = settings.upstream(backend, **settings.circuit_breaker(min_requests=2, open="1m"))
        weir = self.weir({"upstreams": {"api": upstream}, "log": "debug",
                          "routes": [settings.route("/", "api", "all") | {"filters": filters}]})
        self.fetch(weir, target="/bytes/1")
        self.fetch(weir, target="/status/503")
        self.fetch(weir, target="/bytes/2")
        weir.says(r"route_chosen .*client=127\.\S+ method=GET host=\S+ path=/bytes/1 matched_path=/bytes/1 route=all upstream=api")
        weir.says(rf"endpoint_chosen request_id=\S+ upstream=api endpoint={backend} attempt=1 connection=new")
        weir.says(r"cache_decided request_id=\S+ cache=\S+ outcome=miss key=\S+/bytes/1")
        weir.says(r"retry_decided request_id=\S+ tries_before=1 delay_ms=\d+ status=503")
        weir.says(r"circuit_changed circuit=api from=closed to=open")
        weir.says(r"request_failed request_id=\S+ route=all upstream=api error=circuit_open")
        named = weir.says(r"request_named request_id=(\S+) .*path=/bytes/1")[1]
        self.assertRegex(weir.stderr(), rf"endpoint_chosen request_id={named}")

    def test_what_comes_from_outside_cannot_end_a_line(self):
        weir = self.in_front_of(self.backend(), log={"level": "debug"})
        self.fetch(weir, target="/%0aforged%0d%22", fields={"X": "y"})
        weir.says("route_chosen")
        for line in weir.stderr().splitlines():
            self.assertRegex(line, r"^(\d{4}-\d\d-\d\dT|\{)", line)

    def test_json_has_one_object_a_line(self):
        weir = self.in_front_of(self.backend(), log={"format": "json", "level": "debug"})
        self.fetch(weir, target='/a"b')
        weir.says("endpoint_chosen")
        weir.configure("listeners: [")
        weir.reload(expect="failure")
        weir.says("reload_failed")
        lines = [json.loads(line) for line in weir.stderr().splitlines()]
        started = next(line for line in lines if line["event"] == "started")
        self.assertEqual(("info", 1), (started["level"], started["workers"]))
        self.assertRegex(started["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertTrue(any(line["event"] == "configuration_problem" for line in lines))

    def test_a_refused_start_tells_its_problems_as_json_as_well(self):
        told = self.refused_start({"log": {"format": "json"}, "workers": "many", "routes": [settings.answers(200)]})
        problem = json.loads(told)
        self.assertEqual(("configuration_problem", "workers"), (problem["event"], problem["setting"]))

    def test_each_problem_of_a_failed_reload_is_one_event(self):
        weir = self.in_front_of(self.backend())
        text = read(weir.file)
        weir.configure(text.replace('"routes"', '"roots"').replace('"workers": 1', '"workers": "many"'))
        weir.reload(expect="failure")
        weir.says("reload_failed .*problems=2")
        problems = weir.events("configuration_problem", 2)
        self.assertEqual(2, len(problems))
        self.assertTrue(any(re.search(r"at=\S+weir\.yaml:\d+:\d+ setting=workers problem=.*many", line) for line in problems))
        self.assertTrue(any("roots" in line and "hint=" in line for line in problems))

    def test_the_start_event_lists_addresses_certificates_and_limits(self):
        authority = Authority(self.folder())
        site = authority.issue("a.test")
        secure = free_address()
        plain = free_address()
        listeners = [settings.listener(plain),
                     settings.listener(secure, tls={"certificates": [{"cert": site.cert, "key": site.key}]})]
        weir = self.weir({"listeners": listeners, "routes": [settings.answers(200)],
                          **settings.client_limits(connections=1234, body="5MiB")})
        started = weir.events("started")[0]
        for part in (f'{plain},{secure}(tls)', f"admin={weir.admin}", f"{site.cert}(until 20", "connections=1234",
                     "workers=1", "open_files=", "drain_timeout=1s", f"body={5 << 20}"):
            self.assertIn(part, started)


if __name__ == "__main__":
    unittest.main()
