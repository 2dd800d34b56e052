"""Rules about paths hold however a path is spelled, and upstreams get the path as the client sent it."""

import unittest

import cache_settings
from backend import reply_bytes
from cache_case import status_of
from cli import CommandLine
from h2_wire import H2Client
from harness import WeirCase, settings
from settings import answers, rate_limit, regex, route

# Spellings of /admin that some server or other takes for it.
BYPASSES = (
    "//admin", "///admin", "/./admin", "/.//admin", "/a/../admin", "/%61dmin", "/%2e/admin", "/a/%2e%2e/admin", "/%2fadmin", "/%2Fadmin",
    "/a/..%2fadmin", "/a%2f..%2fadmin", "/a/%2e%2e%2fadmin", "/admin%2f", "/admin%2fx", "/admin//", "/%5cadmin", "/a/..%5cadmin",
    "/..%2fadmin", "/%2e%2e%2fadmin", "/\\admin", "/admin/.", "/admin/x/..%2f", "/%2f%2fadmin", "http://weir.test//admin",
    "/admin;x", "/admin;x/y", "/admin%3bx", "/a/..;/admin", "/a/..;x=1/admin", "/.;/admin", "/;/admin", "/;x/admin", "/%3b/admin",
    "/a%2f..;x%2fadmin",
)

# Decoded none of them lies below /admin, but there are servers that read each of them so: Tomcat cuts parameters up to the next
# slash that isn't escaped, Express and others split paths at such slashes alone.
AMBIGUOUS = (
    "/admin;%2f..%2fx", "/admin/users;%2f..%2f..%2fx", "/admin;a=%2f%2e%2e%2fx", "/admin/7%2f..%2f..%2fx", "/admin/%2e%2e%2fx",
    "/admin/..;/x",
)


class Rules(WeirCase):
    def guarded(self, match="/admin", **config):
        self.api = self.backend()
        return self.in_front_of(self.api, routes=[answers(403, match={"path": match}), route("/", "api")], **config)

    def test_no_spelling_of_a_path_gets_past_its_rule(self):
        for match in ("/admin", regex("/admin(/.*)?")):
            weir = self.guarded(match)
            for target in BYPASSES:
                with self.subTest(target, match=match):
                    self.assertIn(self.fetch(weir, target=target).status, (400, 403))
            self.assertEqual([], self.api.requests)
            self.assertEqual(200, self.fetch(weir, target="/administrator").status)

    def test_no_spelling_gets_past_it_where_backslashes_pass(self):
        for way in ("keep", "decode"):
            weir = self.guarded(path={"encoded_backslash": way})
            for target in BYPASSES:
                with self.subTest(target, way=way):
                    self.assertIn(self.fetch(weir, target=target).status, (400, 403))
            self.assertEqual([], self.api.requests)

    def test_the_upstream_gets_the_path_as_it_was_sent(self):
        weir = self.guarded()
        for target in ("/api/v4/projects/group%2Fproject", "/@scope%2Fpackage", "/api/queues/%2F/jobs", "/a//b", "/a;v=1/b;w",
                       "/files/..a%2F.b", "/img/data:image%2Fpng;base64,iVBOR%2FAA", "/wiki/R%26B%3B%2FRock", "/public;%2Fadmin"):
            with self.subTest(target):
                self.assertEqual(target, self.fetch(weir, target=target).json()["target"])

    def test_a_path_that_servers_read_differently_reaches_no_endpoint(self):
        weir = self.guarded()
        for target in AMBIGUOUS:
            with self.subTest(target):
                response = self.fetch(weir, target=target)
                self.assertEqual(400, response.status)
                self.assertIn(b"servers take this path for different ones", response.body)
        self.assertEqual([], self.api.requests)

    def test_a_rule_about_a_path_alone_holds_for_servers_whose_parameters_are_longer(self):
        self.assertEqual(400, self.fetch(self.guarded(regex("/admin")), target="/admin;%2Fx").status)
        self.assertEqual([], self.api.requests)

    def test_no_endpoint_can_take_the_first_segment_for_a_host(self):
        weir = self.guarded()
        for target in ("//x/admin", "///x/admin", "/.//x/admin", "http://weir.test//x/admin"):
            self.assertEqual("/x/admin", self.fetch(weir, target=target).json()["target"])
        weir = self.in_front_of(self.api, routes=[route("/app", "api", **settings.rewrite_prefix("/"))])
        self.assertEqual("/x/admin", self.fetch(weir, target="/app//x/admin").json()["target"])

    def test_a_path_that_climbs_above_the_root_once_it_is_decoded_is_refused(self):
        self.assertEqual(400, self.fetch(self.guarded(), target="/..%2Fa").status)

    def test_routes_may_match_the_path_that_is_sent(self):
        weir = self.guarded(path={"match": "sent"})
        for target in ("/%2Fadmin", "/a/..%2Fadmin", "/..%2Fa"):
            with self.subTest(target):
                self.assertEqual(target, self.fetch(weir, target=target).json()["target"])
        self.assertEqual(403, self.fetch(weir, target="/%61dmin").status)

    def test_a_reload_changes_what_routes_match(self):
        weir = self.guarded()
        self.assertEqual(403, self.fetch(weir, target="/%2Fadmin").status)
        rules = [answers(403, match={"path": "/admin"}), route("/", "api")]
        weir.reload({"upstreams": {"api": settings.upstream(self.api)}, "routes": rules, "path": {"match": "sent"}})
        self.assertEqual(200, self.fetch(weir, target="/%2Fadmin").status)

    def test_it_is_the_same_over_http2(self):
        weir = self.guarded()
        client = H2Client(weir.address)
        self.addCleanup(client.close)
        for target in ("//admin", "/%2fadmin", "/a/..%2fadmin"):
            self.assertEqual(403, client.get(target).status)
        for target in AMBIGUOUS:
            self.assertEqual(400, client.get(target).status)


class Consumers(WeirCase):
    """What else goes by the path."""

    def test_a_rewrite_replaces_the_prefix_however_it_is_spelled_and_keeps_the_rest(self):
        weir = self.in_front_of(self.backend(), routes=[route("/app", "api", **settings.rewrite_prefix("/inner"))])
        for target, sent in (("//app/a%2Fb", "/inner/a%2Fb"), ("/app%2Fx", "/inner/x"), ("/app;v=1/a;b", "/inner/a;b")):
            with self.subTest(target):
                self.assertEqual(sent, self.fetch(weir, target=target).json()["target"])

    def test_groups_of_a_rewrite_keep_their_escapes(self):
        weir = self.in_front_of(self.backend(), routes=[route("/app", "api", **settings.rewrite_regex("/app/([^/]+)", "/inner/\\1"))])
        self.assertEqual("/inner/a%2Fb", self.fetch(weir, target="/app/a%2Fb").json()["target"])

    def test_a_limit_by_path_counts_all_spellings_as_one(self):
        limit = rate_limit("2/hour", key="path")
        weir = self.in_front_of(self.backend(), routes=[route("/", "api", filters=[limit])])
        self.assertEqual([200, 200, 429, 429], [self.fetch(weir, target=t).status for t in ("/login", "//login", "/%2Flogin", "/login;x")])
        self.assertEqual(200, self.fetch(weir, target="/other").status)

    def test_a_cache_keeps_what_upstreams_get_apart(self):
        def serve(connection):
            while True:
                connection.send(reply_bytes(fields=[("Cache-Control", "max-age=60")], body=connection.request().target.encode()))

        weir = self.in_front_of(self.scripted(serve), routes=[route("/", "api", filters=[cache_settings.cache()])])
        for target in ("/a/b", "/a%2Fb", "/a//b"):
            for hit in (False, True):
                response = self.fetch(weir, target=target)
                self.assertEqual((target, hit), (bytes(response.body).decode(), status_of(response).is_hit))

    def test_a_redirect_keeps_the_path_as_it_was_sent(self):
        weir = self.weir({"routes": [route("/old", redirect={"to": "https://new.example{path_and_query}"})]})
        self.assertEqual("https://new.example/old/a%2Fb?c", self.fetch(weir, target="//old/a%2Fb?c").get("location"))


class Commands(CommandLine):
    TEXT = """
listeners: [127.0.0.1:8080]
upstreams: { api: { endpoints: [127.0.0.1:9001] } }
routes:
  - { name: admin, match: { path: /admin }, respond: 403 }
  - { name: rest, upstream: api }
"""

    def explain(self, text, target):
        done = self.run_weir("explain", "-c", self.file(text), "GET", f"http://a.example{target}")
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def test_explain_shows_both_forms(self):
        told = self.explain(self.TEXT, "/a/..%2fadmin")
        self.assertIn("path       /a/..%2Fadmin\nmatched as /admin\n", told)
        self.assertIn("admin: matches", told)
        told = self.explain(self.TEXT + "path: { match: sent }\n", "/a/..%2fadmin")
        self.assertIn("path       /a/..%2Fadmin\nmatched as /a/..%2Fadmin\n", told)
        self.assertIn("route      admin: no, path: wants prefix /admin, got /a/..%2Fadmin\n", told)
        self.assertIn("GET /a/..%2Fadmin", told)

    def test_explain_tells_that_a_path_is_read_differently(self):
        self.assertIn("answer     400: servers take this path for different ones", self.explain(self.TEXT, "/admin/%2e%2e%2fx"))

    def test_check_tells_paths_that_only_match_as_they_are_sent(self):
        text = self.TEXT.replace("path: /admin", "path: /group%2Fproject")
        code, told = self.check(text)
        self.assertEqual(1, code)
        self.assertIn("routes match the decoded path", told)
        self.assertIn("write /group/project, or path: { match: sent }", told)
        self.assertEqual(0, self.check(text + "path: { match: sent }\n")[0])

    def test_check_warns_of_expressions_that_match_no_decoded_path(self):
        code, told = self.check(self.TEXT.replace("path: /admin", "path: { regex: '/x/https?://.*' }"))
        self.assertEqual(0, code, told)
        self.assertIn("runs of slashes are merged", told)


if __name__ == "__main__":
    unittest.main()
