"""Which methods a request may have: one list for both versions of HTTP, and QUERY (RFC 10008) is one of them."""

import json
import unittest

from backend import HttpBackend, answers, hangs, ok
from h2_wire import H2Client, fetch2
from harness import SharedWeirCase, WeirCase, eventually, free_address, settings
from settings import ample, hedge, retry, route, to_upstream
from wire import request_bytes

JSON = {"Content-Type": "application/json"}


class Methods(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"a": HttpBackend()}
        return backends, {
            "methods": {"allow": ["LIST", "BAN"]},
            "upstreams": {"h1": settings.upstream(backends["a"])},
            "routes": [route({"path": "/only", "methods": ["QUERY", "LIST"]}, "h1"), route("/", "h1")],
        }

    def over_both(self, method, target="/", fields=(), body=b""):
        """The status over HTTP/1.1 and over HTTP/2, and the methods that the backend was told."""
        told = [self.fetch(self.shared, method, target, fields, body), fetch2(self.shared.address, method, target, fields, body)]
        methods = [json.loads(bytes(one.body))["method"] for one in told if one.status == 200]
        return [one.status for one in told], methods

    def test_both_versions_take_the_same_methods(self):
        for method in ("GET", "PUT", "DELETE", "PATCH", "PROPFIND", "REPORT", "MKCOL", "SEARCH", "PURGE"):
            with self.subTest(method):
                self.assertEqual(([200, 200], [method] * 2), self.over_both(method))

    def test_both_versions_refuse_the_same_methods(self):
        for method in ("FOO", "get", "query", "SOURCE", "PRI", "LISTS", "DESCRIBE"):
            with self.subTest(method):
                statuses, _ = self.over_both(method)
                self.assertEqual([501, 501], statuses)
        self.assertNotIn("FOO", [request.method for request in self.backends["a"].requests])
        lines = lambda: [line.status for line in self.shared.access_log() if line["method"] == "FOO"]
        eventually(lambda: lines() == [501, 501], "both refusals in the log")

    def test_methods_that_are_allowed_are_forwarded_by_both(self):
        for method in ("LIST", "BAN"):
            with self.subTest(method):
                self.assertEqual(([200, 200], [method] * 2), self.over_both(method))
        self.assertEqual(([200, 200], ["LIST"] * 2), self.over_both("LIST", "/only"))

    def test_query_is_forwarded_with_its_body(self):
        statuses, methods = self.over_both("QUERY", "/only", JSON, b"{}")
        self.assertEqual(([200, 200], ["QUERY"] * 2), (statuses, methods))
        self.assertEqual("{}", self.fetch(self.shared, "QUERY", "/", JSON, b"{}").json()["body"])

    def test_query_needs_a_content_type(self):
        for fields in ((), {"Content-Type": ""}):
            statuses, _ = self.over_both("QUERY", "/", fields, b"{}")
            self.assertEqual([400, 400], statuses)
        client = self.client(self.shared)
        self.assertEqual("application/problem+json", client.request("QUERY", "/", (), b"{}").get("content-type"))


class Query(WeirCase):
    """It may be sent twice, as GET may."""

    def ask(self, weir):
        return self.fetch(weir, "QUERY", "/q", JSON, b"{}")

    def test_it_is_tried_again(self):
        bad, good = self.scripted(answers(ok().replace(b"200 OK", b"503 No"))), self.backend("good")
        weir = self.in_front_of(bad, good, routes=[
            route("/", "api", filters=[retry(**ample(attempts=4, on=[503], backoff={"base": "1ms", "max": "1ms"}))])])
        for _ in range(6):
            self.assertEqual((200, "QUERY"), (lambda told: (told.status, told.json()["method"]))(self.ask(weir)))
        self.assertGreater(weir.metric(settings.RETRIES, outcome="success"), 0)

    def test_it_is_hedged(self):
        slow, fast = self.scripted(hangs), self.backend("fast")
        weir = self.in_front_of(slow, fast, routes=[
            route("/", "api", filters=[hedge("50ms", **ample())])])
        for _ in range(4):
            self.assertEqual(200, self.ask(weir).status)
        eventually(lambda: weir.metric(settings.HEDGES, outcome="won") > 0, "a hedge that won")

    def test_it_falls_back(self):
        spare = self.backend("spare")
        weir = self.weir({
            "upstreams": {"api": settings.upstream(self.scripted(answers(ok().replace(b"200 OK", b"503 No")))), "spare": settings.upstream(spare)},
            "routes": [route("/", "api", filters=[settings.fallback(to_upstream("spare"), on=[503])])]})
        self.assertEqual(("spare", "QUERY"), (lambda told: (told["backend"], told["method"]))(self.ask(weir).json()))

    def test_no_stored_page_of_get_answers_it(self):
        state = {"status": b"200 OK"}

        def script(connection):
            while True:
                connection.request()
                connection.send(ok(fields="Cache-Control: max-age=60\r\n").replace(b"200 OK", state["status"]))
        weir = self.in_front_of(self.scripted(script), routes=[
            route("/", "api", filters=[settings.fallback(settings.to_stale("1h"), on=[503]), {"cache": {}}])])
        self.assertEqual(200, self.fetch(weir, target="/q").status)
        state["status"] = b"503 No"
        self.assertEqual(503, self.ask(weir).status)

    def test_a_reload_changes_the_list_for_open_connections(self):
        config = {"routes": [settings.answers(200)]}
        weir = self.weir(config)
        client, client2 = self.client(weir), H2Client(weir.address)
        self.addCleanup(client2.close)
        self.assertEqual([200, 501], [client.get().status, client2.request("LIST").status])
        weir.reload({**config, "methods": {"allow": "LIST"}})
        self.assertEqual([200, 200], [client.request("LIST").status, client2.request("LIST").status])

    def test_what_is_no_method_is_a_mistake_at_its_place(self):
        for method, why in (("a b", "is not a method"), ("CONNECT", "can't be forwarded"), ("TRACE", "can't be forwarded")):
            told = self.refused_start({"listeners": [settings.listener(free_address())], "methods": {"allow": [method]},
                                       "routes": [settings.answers(200)]})
            self.assertRegex(told, rf"methods\.allow: '{method}' {why}")


if __name__ == "__main__":
    unittest.main()
