"""The two filters that prove the chain: `headers` and `request_id`."""

import json
import unittest

from backend import HttpBackend, answers, fields_of, ok
from h2_wire import PROTOCOL_ERROR, H2Server, fetch2
from harness import SharedWeirCase, WeirCase, free_address, settings
from settings import REQUEST_ID_FIELD, headers_filter, route


class Headers(WeirCase):
    def filtered(self, *filters, backend=None, **config):
        backend = backend or self.backend()
        return self.weir({
            "upstreams": {"api": settings.upstream(backend)},
            "routes": [route("/", "api", filters=list(filters))],
            **config,
        })

    def test_request_fields_are_set_added_and_removed(self):
        change = {"set": {"X-Set": "new"}, "add": {"X-Add": "two"}, "remove": ["X-Gone"]}
        fields = {"X-Set": "old", "X-Add": "one", "X-Gone": "1", "X-Other": "o"}
        account = self.fetch(self.filtered(headers_filter(request=change)), fields=fields).json()
        self.assertEqual(["new"], fields_of(account, "x-set"))
        self.assertEqual(["one", "two"], fields_of(account, "x-add"))
        self.assertEqual([], fields_of(account, "x-gone"))
        self.assertEqual(["o"], fields_of(account, "x-other"))

    def test_response_fields_are_set_added_and_removed(self):
        backend = self.scripted(answers(ok(fields="Server: secret\r\nX-Set: old\r\nX-Add: one\r\n")))
        change = {"set": {"X-Set": "new"}, "add": {"X-Add": "two"}, "remove": ["Server"]}
        response = self.fetch(self.filtered(headers_filter(response=change), backend=backend))
        self.assertEqual(["new"], response.all("x-set"))
        self.assertEqual("one, two", response.get("x-add"))
        self.assertIsNone(response.get("server"))

    def test_a_rendered_value_reaches_a_strict_http2_endpoint_without_blanks_around_it(self):
        def script(connection):
            server = H2Server(connection)
            while True:
                stream, request = server.request()
                edges = [value for _, value in request.fields if value != value.strip()]
                if edges:
                    server.send_reset(stream, PROTOCOL_ERROR)     # RFC 9113 section 8.2.1: malformed
                else:
                    server.answer(stream, json.dumps(request.all("x-user")).encode())
        change = headers_filter(request={"set": {"x-user": "{query.u}", "x-fixed": " a "}, "add": {"x-user": "{query.v}"}},
                                response={"set": {"x-back": "{query.u}"}})
        weir = self.weir({"upstreams": {"api": settings.upstream(self.scripted(script)) | {"protocol": "http2"}},
                          "routes": [route("/", "api", filters=[change])]})
        for target, users in (("/?u=%20bob", ["bob"]), ("/?u=bob%09%20&v=%20%09", ["bob"]), ("/?u=%20&v=a%20b", ["a b"])):
            with self.subTest(target):
                response = fetch2(weir.address, target=target)
                self.assertEqual((200, users), (response.status, json.loads(bytes(response.body))))
                back = response.get("x-back")
                self.assertEqual(back and back.strip(), back)
        self.assertEqual("bob", self.fetch(weir, target="/?u=%20bob").get("x-back"))

    def test_fields_are_put_on_errors_where_all_responses_have_them(self):
        for on, value in ("all", "new"), ("success", None), ([502, 503], "new"), (None, None):
            with self.subTest(on):
                change = {"set": {"X-Set": "new"}} | ({"on": on} if on else {})
                weir = self.weir({
                    "upstreams": {"api": settings.upstream(free_address())},
                    "routes": [route("/", "api", filters=[headers_filter(response=change)])],
                })
                response = self.fetch(weir)
                self.assertEqual(502, response.status)
                self.assertEqual(value, response.get("x-set"))

    def test_what_a_route_sets_takes_the_place_of_what_is_set_for_all(self):
        site = headers_filter(response={"set": {"X-Frame-Options": "DENY", "X-Site": "all"}, "remove": "X-Kept", "on": "all"})
        own = headers_filter(response={"set": {"x-frame-options": "SAMEORIGIN", "X-Kept": "yes"}})
        weir = self.weir({"filters": [site], "routes": [
            {"match": {"path": "/own"}, "filters": [own], "respond": 200},
            {"match": {"path": "/failed"}, "filters": [own], "respond": 404},
            {"match": {"path": "/limited"}, "filters": [{"rate_limit": {"rate": "1/hour", "burst": 1}}, own], "respond": 200},
            {"match": {"path": "/stored"}, "filters": [{"cache": {"ttl": "1m"}}, own], "upstream": "api"},
            {"respond": 200}], "upstreams": {"api": settings.upstream(self.backend())}})

        def fields(target):
            response = self.fetch(weir, target=target)
            return [response.get(name) for name in ("x-frame-options", "x-site", "x-kept")]
        self.assertEqual(["SAMEORIGIN", "all", "yes"], fields("/own"))
        self.assertEqual(["DENY", "all", None], fields("/failed"))
        for _ in range(2):
            self.assertEqual(["SAMEORIGIN", "all", "yes"], fields("/stored"))
        self.assertEqual(["SAMEORIGIN", "all", "yes"], fields("/limited"))
        self.assertEqual(["DENY", "all", None], fields("/limited"))
        self.assertEqual(["DENY", "all", None], fields("/"))

    def test_filters_run_in_the_order_of_the_file(self):
        first, second = headers_filter(request={"add": {"X-Order": "1"}}), headers_filter(request={"add": {"X-Order": "2"}})
        weir = self.filtered(second, filters=[first])
        self.assertEqual(["1", "2"], fields_of(self.fetch(weir).json(), "x-order"))

    def test_on_the_way_back_the_first_is_the_last(self):
        first, second = headers_filter(response={"set": {"X-Last": "1"}}), headers_filter(response={"set": {"X-Last": "2"}})
        self.assertEqual("1", self.fetch(self.filtered(first, second)).get("x-last"))


class RequestId(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"a": HttpBackend()}
        return backends, {
            "filters": ["request_id"],
            "upstreams": {"api": settings.upstream(backends["a"])},
            "routes": [route("/", "api")],
        }

    def test_each_request_has_an_id_of_its_own_everywhere_the_same(self):
        client, seen = self.client(self.shared), set()
        for number in range(50):
            response = client.get(f"/id/{number}")
            given = response.get(REQUEST_ID_FIELD)
            self.assertEqual([given], fields_of(response.json(), REQUEST_ID_FIELD))
            seen.add(given)
        self.assertEqual(50, len(seen))
        self.assertEqual(given, self.shared.log_of("/id/49")[0].get(settings.LOG_REQUEST_ID))

    def test_a_stranger_s_id_is_replaced(self):
        response = self.fetch(self.shared, fields={"X-Request-Id": "forged"})
        self.assertNotEqual("forged", response.get(REQUEST_ID_FIELD))
        self.assertNotIn("forged", fields_of(response.json(), REQUEST_ID_FIELD))


class RequestIdOfTrusted(WeirCase):
    def test_a_trusted_proxy_s_id_is_kept(self):
        weir = self.in_front_of(self.backend(), filters=["request_id"], **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        response = self.fetch(weir, fields={"X-Request-Id": "abc-123"})
        self.assertEqual("abc-123", response.get(REQUEST_ID_FIELD))

    def test_an_error_names_the_request(self):
        weir = self.in_front_of(free_address(), filters=["request_id"])
        response = self.fetch(weir, fields={"Accept": "application/json"})
        self.assertIn(response.get(REQUEST_ID_FIELD), response.json()["instance"])


if __name__ == "__main__":
    unittest.main()
