"""What a request becomes on its way: fields of the hop, of the chain of proxies, and the path."""

import re
import unittest

from backend import HttpBackend, answers, fields_of, ok
from harness import SharedWeirCase, WeirCase, free_address, settings


class Fields(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"a": HttpBackend()}
        return backends, {
            "upstreams": {"api": settings.upstream(backends["a"])},
            "routes": [settings.route("/", "api")],
        }

    def sent(self, name, fields=(), **request):
        """The values of a field at the backend."""
        return fields_of(self.fetch(self.shared, fields=fields, **request).json(), name)

    def test_hop_by_hop_fields_stay_on_their_hop(self):
        fields = {"Connection": "keep-alive, X-Named, close", "X-Named": "1", "Keep-Alive": "timeout=5", "Proxy-Connection": "x",
                  "TE": "gzip", "Upgrade": "foo", "Proxy-Authorization": "Basic x", "HTTP2-Settings": "x", "X-Stays": "2"}
        names = {name.lower() for name, _ in self.fetch(self.shared, fields=fields).json()["fields"]}
        gone = {"x-named", "keep-alive", "proxy-connection", "te", "upgrade", "proxy-authorization", "http2-settings"}
        self.assertEqual(set(), names & gone)
        self.assertIn("x-stays", names)

    def test_a_client_s_connection_field_cannot_delete_what_matters(self):
        named = "Host, Authorization, Cookie, X-Forwarded-For, X-Request-Id, Content-Length, traceparent"
        fields = {"Connection": named, "Authorization": "Bearer t", "Cookie": "a=b"}
        account = self.fetch(self.shared, "POST", fields=fields, body=b"x").json()
        for name in ("host", "authorization", "cookie", "x-forwarded-for", "content-length"):
            self.assertEqual(1, len(fields_of(account, name)), name)

    def test_what_a_stranger_says_of_the_chain_is_overwritten(self):
        fields = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
                  "X-Forwarded-Port": "1", "Forwarded": "for=6.6.6.6"}
        account = self.fetch(self.shared, fields=fields).json()
        self.assertEqual(["127.0.0.1"], fields_of(account, "x-forwarded-for"))
        self.assertEqual(["http"], fields_of(account, "x-forwarded-proto"))
        self.assertEqual(["weir.test"], fields_of(account, "x-forwarded-host"))
        self.assertEqual([self.shared.address.split(":")[1]], fields_of(account, "x-forwarded-port"))
        self.assertEqual([], fields_of(account, "forwarded"))

    def test_underscored_doubles_of_the_chain_fields_do_not_pass(self):
        response = self.fetch(self.shared, fields={"X_Forwarded_For": "6.6.6.6"})
        if response.status == 200:
            self.assertEqual([], fields_of(response.json(), "x_forwarded_for"))
        else:
            self.assertEqual(400, response.status)

    def test_no_via_is_sent_and_another_s_is_left_alone(self):
        self.assertEqual([], self.sent("via"))
        self.assertEqual(["1.0 other"], self.sent("via", {"Via": "1.0 other"}))

    def test_via_is_appended_where_it_has_a_name(self):
        weir = self.in_front_of(self.backend(), forwarded={"via": "edge"})
        for before, after in ({}, "1.1 edge"), ({"Via": "1.0 other"}, "1.0 other, 1.1 edge"):
            self.assertEqual(after, ", ".join(fields_of(self.fetch(weir, fields=before).json(), "via")))
        self.assertEqual(508, self.fetch(weir, fields={"Via": "1.1 edge"}).status)

    def test_cdn_loop_is_appended(self):
        self.assertRegex(self.sent("cdn-loop")[0], rf"^{settings.PSEUDONYM}")
        chain = ", ".join(self.sent("cdn-loop", {"CDN-Loop": "other; a=b"}))
        self.assertRegex(chain, rf"^other; a=b, {settings.PSEUDONYM}")

    def test_the_address_of_the_client_is_told_as_x_real_ip(self):
        self.assertEqual(["127.0.0.1"], self.sent("x-real-ip"))
        self.assertEqual(["127.0.0.1"], self.sent("x-real-ip", {"X-Real-IP": "6.6.6.6"}))

    def test_what_a_stranger_says_of_its_identity_is_removed(self):
        names = ("Remote-User", "X-Forwarded-User", "X-Forwarded-Prefix", "X-Original-URL", "Proxy", "X-Rewrite-URL", "X-Remote-User",
                 "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "True-Client-IP")
        lies = {name: "admin" for name in names}
        passing = self.in_front_of(self.backend(), forwarded={"pass": ["x-forwarded-prefix"]})
        trusting = self.in_front_of(self.backend(), forwarded={"trusted_proxies": ["127.0.0.0/8"]})
        for weir, left in (self.shared, ()), (passing, ("X-Forwarded-Prefix",)), (trusting, names):
            account = self.fetch(weir, fields=lies).json()
            self.assertEqual(left, tuple(name for name in names if fields_of(account, name.lower())))

    def test_the_answer_carries_via_and_a_date(self):
        response = self.fetch(self.shared)
        self.assertIn(settings.PSEUDONYM, response.get("via", settings.PSEUDONYM))
        self.assertRegex(response.get("date"), r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_our_own_name_in_cdn_loop_is_a_loop(self):
        mine = self.sent("cdn-loop")[0]
        response = self.fetch(self.shared, fields={"CDN-Loop": mine})
        self.assertEqual(508, response.status)
        self.assertIn("proxy_loop_detected", response.get("proxy-status", ""))

    def test_two_in_a_row_are_no_loop(self):
        behind = self.in_front_of(self.backend())
        passed = fields_of(self.fetch(self.in_front_of(behind.address)).json(), "cdn-loop")
        self.assertEqual(2, len(set(", ".join(passed).split(", "))), passed)

    def test_the_host_is_kept(self):
        self.assertEqual(["site.example:81"], self.sent("host", host="site.example:81"))

    def test_an_absolute_target_wins_over_host(self):
        account = self.fetch(self.shared, target="http://real.example/p?q", host="other.example").json()
        self.assertEqual((["real.example"], "/p?q"), (fields_of(account, "host"), account["target"]))

    def test_end_to_end_fields_arrive_unchanged_and_in_order(self):
        fields = [("X-Many", "1"), ("Accept", "*/*"), ("X-Many", "2"), ("X-Spaces", "a  b"), ("X-High", "\xe4")]
        account = self.fetch(self.shared, fields=fields).json()
        self.assertEqual(["1", "2"], fields_of(account, "x-many"))
        self.assertEqual(["a  b"], fields_of(account, "x-spaces"))
        self.assertEqual(["\xe4"], fields_of(account, "x-high"))

    def test_the_method_is_passed_on_as_it_is(self):
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
            self.assertEqual(method, self.fetch(self.shared, method, "/m").json()["method"])

    def test_trace_is_off(self):
        self.assertEqual(405, self.fetch(self.shared, "TRACE").status)

    def test_max_forwards_zero_is_answered_here(self):
        before = len(self.backends["a"].requests)
        self.fetch(self.shared, "OPTIONS", fields={"Max-Forwards": "0"})
        self.assertEqual(before, len(self.backends["a"].requests))


class Chains(WeirCase):
    def account(self, config, fields=(), **request):
        return self.fetch(self.in_front_of(self.backend(), **config), fields=fields, **request).json()

    def test_trusted_proxies_are_believed_and_appended_to(self):
        config = settings.forwarded(trusted_proxies=["127.0.0.0/8"])
        fields = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
        account = self.account(config, fields)
        self.assertEqual("203.0.113.7, 127.0.0.1", ", ".join(fields_of(account, "x-forwarded-for")))
        self.assertEqual(["https"], fields_of(account, "x-forwarded-proto"))
        self.assertEqual(["shop.example"], fields_of(account, "x-forwarded-host"))

    def test_proxies_out_of_the_list_are_strangers(self):
        account = self.account(settings.forwarded(trusted_proxies=["10.0.0.0/8"]), {"X-Forwarded-For": "203.0.113.7"})
        self.assertEqual(["127.0.0.1"], fields_of(account, "x-forwarded-for"))

    def test_the_log_s_client_is_the_last_stranger_of_a_trusted_chain(self):
        weir = self.in_front_of(self.backend(), **settings.forwarded(trusted_proxies=["127.0.0.0/8"]))
        self.fetch(weir, target="/who", fields={"X-Forwarded-For": "6.6.6.6, 203.0.113.7"})
        self.assertIn("203.0.113.7", str(weir.log_of("/who")[0].get(settings.LOG_CLIENT)))

    def test_the_forwarded_field_replaces_the_x_fields(self):
        account = self.account(settings.forwarded(style="rfc7239"), {"Forwarded": "for=6.6.6.6", "X-Forwarded-For": "6.6.6.6"})
        forwarded = ", ".join(fields_of(account, "forwarded"))
        self.assertNotIn("6.6.6.6", str(account["fields"]))
        self.assertRegex(forwarded, r'for="?127\.0\.0\.1')
        self.assertRegex(forwarded, r'proto="?http')
        self.assertRegex(forwarded, r'host="?weir\.test')
        self.assertEqual([], fields_of(account, "x-forwarded-.*"))

    def test_the_forwarded_field_is_appended_for_the_trusted(self):
        config = settings.forwarded(style="rfc7239", trusted_proxies=["127.0.0.0/8"])
        forwarded = ", ".join(fields_of(self.account(config, {"Forwarded": "for=203.0.113.7;proto=https"}), "forwarded"))
        self.assertRegex(forwarded, r'^for="?203\.0\.113\.7"?;proto=https, ?for="?127\.0\.0\.1')

    def test_behind_another_weir_no_host_names_a_client(self):
        back = self.in_front_of(self.backend(), **settings.forwarded(style="rfc7239", trusted_proxies=["127.0.0.0/8"]))
        front = self.in_front_of(back.address, **settings.forwarded(style="rfc7239"))
        for host in ("weir.test", "x,for=6.6.6.6;y=", "x,for=6.6.6.6;y", "x;for=6.6.6.6"):
            with self.subTest(host):
                self.assertEqual(200, self.fetch(front, target="/who", host=host).status)
        self.assertEqual({"127.0.0.1"}, {str(line.get(settings.LOG_CLIENT)) for line in back.log_of("/who")})

    def test_quotes_in_a_trusted_proxy_s_field_name_no_client(self):
        weir = self.in_front_of(self.backend(), **settings.forwarded(style="rfc7239", trusted_proxies=["127.0.0.0/8"]))
        for field in ('for=1.1.1.1;host="x,for=6.6.6.6;y="', 'x="a;for=6.6.6.6;y";for=1.1.1.1',
                      'for=6.6.6.6;x="a, for=1.1.1.1'):
            with self.subTest(field):
                self.fetch(weir, target="/who", fields={"Forwarded": field})
        self.assertEqual({"1.1.1.1"}, {str(line.get(settings.LOG_CLIENT)) for line in weir.log_of("/who")})

    def test_the_host_may_be_the_endpoint_s(self):
        backend = self.backend()
        weir = self.weir({"upstreams": {"api": settings.upstream(backend, **settings.host_set("endpoint"))},
                          "routes": [settings.route("/", "api")]})
        self.assertEqual([backend.address], fields_of(self.fetch(weir).json(), "host"))

    def test_the_host_may_be_set(self):
        backend = self.backend()
        weir = self.weir({"upstreams": {"api": settings.upstream(backend, **settings.host_set("inner.example"))},
                          "routes": [settings.route("/", "api")]})
        account = self.fetch(weir).json()
        self.assertEqual(["inner.example"], fields_of(account, "host"))
        self.assertEqual(["weir.test"], fields_of(account, "x-forwarded-host"))

    def test_hop_by_hop_fields_of_a_response_stay_there(self):
        response = ok(fields="Connection: X-Named\r\nX-Named: 1\r\nKeep-Alive: timeout=5\r\nX-Stays: 2\r\n")
        answer = self.client(self.in_front_of(self.scripted(answers(response)))).get()
        self.assertEqual((None, None, "2"), (answer.get("x-named"), answer.get("keep-alive"), answer.get("x-stays")))

    def test_a_date_of_the_backend_stays(self):
        then = "Tue, 15 Nov 1994 08:12:31 GMT"
        answer = self.client(self.in_front_of(self.scripted(answers(ok(fields=f"Date: {then}\r\n"))))).get()
        self.assertEqual([then], answer.all("date"))

    def test_two_weirs_in_a_ring_end_in_a_loop(self):
        first = free_address()
        second = self.in_front_of(first)
        self.in_front_of(second.address, listeners=[settings.listener(first)])
        self.assertEqual(508, self.fetch(second).status)


class Paths(WeirCase):
    NORMAL = {
        "/": "/",
        "/a/./b": "/a/b",
        "/a/../b": "/b",
        "/a/b/..": "/a/",
        "/a/%2e/b": "/a/b",
        "/a/%2E%2e/b": "/b",
        "/%61%7Eb": "/a~b",
        "/%e4%2b": "/%E4%2B",
        "/a//b": "/a//b",
        "/a%2Fb": "/a%2Fb",
        "/a%2fb": "/a%2Fb",
        "/a;v=1": "/a;v=1",
        "/a?x=/../%61": "/a?x=/../%61",
        "/a?": "/a?",
    }

    def sent(self, weir, target):
        response = self.fetch(weir, target=target)
        return response.json()["target"] if response.status == 200 else response.status

    def test_the_usual_policy(self):
        weir = self.in_front_of(self.backend())
        for target, normal in self.NORMAL.items():
            with self.subTest(target):
                self.assertEqual(normal, self.sent(weir, target))

    def test_escapes_that_servers_read_differently_are_refused(self):
        weir = self.in_front_of(self.backend())
        for target in ("/a%5cb", "/a%00b", "/..", "/a/../../b", "/%2e%2e/b", "/%", "/%g1"):
            with self.subTest(target):
                self.assertEqual(400, self.sent(weir, target))

    def test_slashes_may_be_merged(self):
        weir = self.in_front_of(self.backend(), **settings.path_policy(merge_slashes=True))
        self.assertEqual("/a/b/", self.sent(weir, "//a///b//"))

    def test_an_encoded_slash_may_be_refused_or_decoded(self):
        weir = self.in_front_of(self.backend(), **settings.path_policy(encoded_slash="reject"))
        self.assertEqual(400, self.sent(weir, "/a%2fb"))
        weir = self.in_front_of(self.backend(), **settings.path_policy(encoded_slash="decode"))
        self.assertEqual("/a/b", self.sent(weir, "/a%2fb"))

    def test_a_path_is_in_its_normal_form_before_it_is_routed(self):
        public, secret = self.backend("public"), self.backend("secret")
        weir = self.weir({
            "upstreams": {"public": settings.upstream(public), "secret": settings.upstream(secret)},
            "routes": [settings.route("/secret", "secret"), settings.route("/", "public")],
        })
        for target in ("/secret/x", "/x/../secret/x", "/%73ecret/x", "/./secret/x", "/x/%2e%2e/secret/x", "/secret/%78"):
            with self.subTest(target):
                account = self.fetch(weir, target=target).json()
                self.assertEqual(("secret", "/secret/x"), (account["backend"], account["target"]))
        for request in public.requests:
            self.assertFalse(re.search("secret", request.target))


if __name__ == "__main__":
    unittest.main()
