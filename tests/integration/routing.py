"""The first route that matches wins, by host, path, method, field and query; and what a route does instead of forwarding."""

import collections
import unittest

from backend import HttpBackend, fields_of
from harness import SharedWeirCase, WeirCase, settings
from settings import answers, exact, regex, route


def named(name, match):
    """A route that answers with its own name."""
    return answers(200, name, match=match, name=name)


class Matching(SharedWeirCase):
    ROUTES = [
        named("host-exact", {"host": "one.example", "path": "/"}),
        named("host-wildcard", {"host": "*.wild.example", "path": "/"}),
        named("host-regex", {"host": regex(r"s[0-9]+\.example"), "path": "/"}),
        named("methods", {"path": "/m", "methods": ["PUT", "DELETE"]}),
        named("field", {"path": "/f", "headers": {"x-kind": "beta"}}),
        named("field-regex", {"path": "/f", "headers": {"x-kind": regex("ga.*")}}),
        named("query", {"path": "/q", "query": {"v": "2"}}),
        named("exact", {"path": exact("/exact")}),
        named("regex", {"path": regex(r"/items/[0-9]+")}),
        named("deep", {"path": "/tree/deep"}),
        named("tree", {"path": "/tree"}),
        named("slash", {"path": "/dir/"}),
        named("any", {"path": "/any", "methods": ["GET"]}),
        named("any-too", {"path": "/any"}),
    ]

    @classmethod
    def serve(cls):
        return {}, {"routes": cls.ROUTES}

    def test_the_right_route_answers(self):
        table = [
            ("one.example", "GET", "/x", {}, "host-exact"),
            ("ONE.example:99", "GET", "/x", {}, "host-exact"),
            ("a.wild.example", "GET", "/", {}, "host-wildcard"),
            ("wild.example", "GET", "/", {}, None),
            ("s12.example", "GET", "/", {}, "host-regex"),
            ("s12.example.evil", "GET", "/", {}, None),
            ("xs12.example", "GET", "/", {}, None),
            ("h", "PUT", "/m", {}, "methods"),
            ("h", "GET", "/m", {}, None),
            ("h", "GET", "/f", {"X-Kind": "beta"}, "field"),
            ("h", "GET", "/f", {"X-Kind": "gamma"}, "field-regex"),
            ("h", "GET", "/f", {"X-Kind": "delta"}, None),
            ("h", "GET", "/q?a=1&v=2", {}, "query"),
            ("h", "GET", "/q?v=22", {}, None),
            ("h", "GET", "/exact", {}, "exact"),
            ("h", "GET", "/exact?x", {}, "exact"),
            ("h", "GET", "/exact/", {}, None),
            ("h", "GET", "/items/7", {}, "regex"),
            ("h", "GET", "/items/7/x", {}, None),
            ("h", "GET", "/tree", {}, "tree"),
            ("h", "GET", "/tree/x", {}, "tree"),
            ("h", "GET", "/treehouse", {}, None),
            ("h", "GET", "/tree/deep/x", {}, "deep"),
            ("h", "GET", "/tree/deeper", {}, "tree"),
            ("h", "GET", "/dir/x", {}, "slash"),
            ("h", "GET", "/dirx", {}, None),
            ("h", "GET", "/any/more", {}, "any"),
            ("h", "POST", "/any/more", {}, "any-too"),
        ]
        for host, method, target, fields, wanted in table:
            with self.subTest(host=host, method=method, target=target, fields=fields):
                response = self.fetch(self.shared, method, target, fields, host=host)
                got = response.body.decode() if response.status == 200 else None
                self.assertEqual(wanted, got, response)

    def test_no_route_is_a_404_that_says_so(self):
        response = self.fetch(self.shared, target="/nowhere", fields={"Accept": "application/json"})
        self.assertEqual((404, "application/problem+json"), (response.status, response.get("content-type")))
        self.assertEqual(404, response.json()["status"])
        self.assertIn("NR", self.shared.log_of("/nowhere")[0].flags)

    def test_the_log_names_the_route(self):
        self.fetch(self.shared, target="/exact")
        self.assertEqual("exact", self.shared.log_of("/exact")[0].get(settings.LOG_ROUTE))


class Actions(SharedWeirCase):
    @classmethod
    def serve(cls):
        backends = {"a": HttpBackend()}
        return backends, {
            "upstreams": {"api": settings.upstream(backends["a"])},
            "routes": [
                route("/old", "api", **settings.rewrite_prefix("/new")),
                route("/root", "api", **settings.rewrite_prefix("/")),
                route({"path": regex("/u/[0-9]+")}, "api", **settings.rewrite_regex(r"^/u/([0-9]+)$", r"/users/\1")),
                route("/host", "api", **settings.rewrite_host("inner.example")),
                route("/moved", **settings.redirect("https://new.example/there", 308)),
                route("/found", **settings.redirect("/elsewhere")),
                answers(418, "short", {"X-Pot": "tea"}, "/teapot"),
            ],
        }

    def sent(self, target):
        return self.fetch(self.shared, target=target).json()["target"]

    def test_a_prefix_is_rewritten_on_its_boundary(self):
        self.assertEqual("/new/x?q=1", self.sent("/old/x?q=1"))
        self.assertEqual("/new", self.sent("/old"))
        self.assertEqual("/x", self.sent("/root/x"))

    def test_a_regex_rewrites_with_its_groups(self):
        self.assertEqual("/users/42?x", self.sent("/u/42?x"))

    def test_the_host_is_rewritten(self):
        self.assertEqual(["inner.example"], fields_of(self.fetch(self.shared, target="/host").json(), "host"))

    def test_a_redirect_tells_where(self):
        response = self.fetch(self.shared, target="/moved")
        self.assertEqual((308, "https://new.example/there"), (response.status, response.get("location")))
        response = self.fetch(self.shared, target="/found")
        self.assertEqual(302, response.status)
        self.assertEqual("/elsewhere", response.get("location"))

    def test_respond_answers_by_itself(self):
        client = self.client(self.shared)
        response = client.get("/teapot")
        self.assertEqual((418, b"short", "tea"), (response.status, bytes(response.body), response.get("x-pot")))
        self.assertEqual(b"", bytes(client.request("HEAD", "/teapot").body))
        self.assertEqual(418, client.request("POST", "/teapot", body=b"ignored").status)


class Split(WeirCase):
    def halves(self, **sticky):
        backends = self.backend("stable"), self.backend("canary")
        return self.weir({
            "upstreams": {"stable": settings.upstream(backends[0]), "canary": settings.upstream(backends[1])},
            "routes": [route("/", **settings.split({"stable": 80, "canary": 20}, **sticky))],
        })

    def sides(self, weir, count, fields=lambda number: {}):
        client = self.client(weir)
        return [client.get("/", fields(number)).json()["backend"] for number in range(count)]

    def test_shares_follow_the_weights(self):
        counted = collections.Counter(self.sides(self.halves(), 500))
        self.assertTrue(50 <= counted["canary"] <= 150, counted)

    def test_a_sticky_split_keeps_each_client_on_its_side(self):
        weir = self.halves(sticky="header.x-user")
        first = self.sides(weir, 100, lambda number: {"X-User": f"u{number}"})
        again = self.sides(weir, 100, lambda number: {"X-User": f"u{number}"})
        self.assertEqual(first, again)
        self.assertTrue(5 <= first.count("canary") <= 40, first)


class ManyRoutes(WeirCase):
    def test_a_thousand_routes_find_their_own(self):
        routes = [named(f"r{number}", {"host": f"h{number}.example", "path": f"/p{number}"}) for number in range(1000)]
        client = self.client(self.weir({"routes": routes}))
        for number in (0, 1, 499, 999):
            self.assertEqual(f"r{number}".encode(), bytes(client.get(f"/p{number}/x", host=f"h{number}.example").body))
        self.assertEqual(404, client.get("/p1", host="h2.example").status)


if __name__ == "__main__":
    unittest.main()
