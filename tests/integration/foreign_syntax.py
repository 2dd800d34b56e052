"""What people bring along from other proxies is told in Weir's terms, and all of a file at once."""

import re
import unittest

from cli import CommandLine

FILE = """\
listeners: [{ bind: 127.0.0.1:8080 }]
upstreams:
  api:
    balance: round_robin
    endpoints: [127.0.0.1:9001]
filters:
  - headers: { request: { set: { x-from: "{client.ip}" } } }
routes:
  - match: { host: a.example, path: /v1/, methods: [GET] }
    rewrite: { regex: '/v1/(.*)', to: '/\\1' }
    upstream: api
  - match: { path: /old/ }
    redirect: { to: "https://{host}{path_and_query}" }
"""

# What is written in place of what, and what the hint has to name.
FOREIGN = (
    ("{client.ip}", "$remote_addr", "{client.ip}"),
    ("{client.ip}", "%[src]", "{client.ip}"),
    ("{client.ip}", "{remote_host}", "{client.ip}"),
    ("https://{host}{path_and_query}", "https://$host$request_uri", "{host}"),
    ("https://{host}{path_and_query}", "https://x.example/{1}", "\\1"),
    ("/\\1", "/$1", "\\1"),
    ("/\\1", "/{1}", "\\1"),
    ("/\\1", "/${1}", "\\1"),
    ("/\\1", "x/\\1", "a path begins with '/'"),
    ("path: /v1/", 'path: "/api/*"', "path: /api/, a prefix"),
    ("path: /v1/", "path: { regex: 'api/.*' }", "write a '/'"),
    ("path: /v1/", 'path: "/x?y=1"', "query:"),
    ("path: /v1/", "path: { regex: '/(?<n>x)' }", "(?P<name>"),
    ("path: /v1/", "path: /v1/, not: { path: /v1/x }", "before this one"),
    ("[GET]", '["*"]', "leave methods out"),
    ("a.example", "_", "leave host out"),
    ("a.example", "$host", "{host}"),
    ("round_robin", "least_conn", "least_connections"),
    ("round_robin", "leastconn", "least_connections"),
    ("round_robin", "ip_hash", "hash: client.ip"),
    ("round_robin", "source", "hash: client.ip"),
    ("round_robin", "{ hash: $remote_addr }", "client.ip"),
    ("127.0.0.1:8080", '":80"', "0.0.0.0:80"),
    ("127.0.0.1:8080", '"*:80"', "0.0.0.0:80"),
    ("127.0.0.1:8080", "localhost:80", "127.0.0.1:80"),
    ("headers:", "gzip:", "does not compress"),
    ("headers:", "auth_basic:", "does not authenticate"),
    ("host: a.example", "host: *.example", "quote"),
    ("balance: round_robin", "host: $host", "write keep"),
    ("balance: round_robin", 'host: "{host}"', "write keep"),
    ("to: '/\\1'", "to: '/\\1', host: $host", "leave it out"),
    ("[GET]", "[GET|POST]", "[GET, POST]"),
    ("[GET]", "GET|POST", "[GET, POST]"),
    ("[GET]", "[GTE]", "did you mean 'GET'"),
    ("127.0.0.1:9001", "http://127.0.0.1:9001/", "write 127.0.0.1:9001; for https"),
    ("{ host: a.example, path: /v1/, methods: [GET] }", "{ host: a.example }\n    path: /v1/", "indent it below match"),
    ("round_robin", '{ hash: "{header.x-user}" }', "write header.x-user: here"),
    ("round_robin", "{ hash: $http_x_user }", "write header.x-user"),
    ("balance: round_robin", "timeouts: { read: 5s }", "write response"),
    ("x-from", "Host", "rewrite: { host: … }"),
    ("bind: 127.0.0.1:8080", "bind: 127.0.0.1:8080, tls: { cert: a, key: b }", "certificates: [{ cert: …, key: … }]"),
    ("path: /v1/", "pathPrefix: /v1/", "write path: /api, a prefix"),
    ("match: { host: a.example,", "match: { header: { x: y },", "write headers: { NAME: value }"),
    ("listeners:", "server: { listen: 80 }\nlisteners:", "a route for each host"),
)


class ForeignSyntax(CommandLine):
    def test_the_file_itself_is_sound(self):
        self.assertEqual((0, True), (lambda code, told: (code, "warning" not in told))(*self.check(FILE)))

    def test_each_form_of_another_proxy_has_a_hint_in_weirs_terms(self):
        for ours, foreign, hint in FOREIGN:
            with self.subTest(foreign):
                self.assertIn(ours, FILE)
                code, told = self.check(FILE.replace(ours, foreign))
                self.assertEqual(1, code, told)
                hints = " ".join(re.findall(r"(?m)^\s+= (.*)$", told))
                self.assertIn(hint, hints, told)

    def test_what_is_taken_as_it_is_written_is_a_warning(self):
        for ours, literal, hint in (
                ("path: /v1/", 'path: "/user/{id}"', "write { regex: … } with [^/]+"),
                ("path: /v1/", "path: /user/:id", "write { regex: … } with [^/]+"),
                ("path: /v1/", "path: /a|/b", "a route for each"),
                ("path: /v1/", 'path: /v1/, headers: { x-a: "~foo.*" }', "write { regex: … }"),
                ("path: /v1/", 'path: /v1/, headers: { cookie: "sid=*" }', "write { regex: … }"),
                ("path: /v1/", 'path: /v1/, query: { a: "*" }', "write { present: true }"),
                ("redirect: { to: \"https://{host}{path_and_query}\" }", 'respond: { status: 200, body: "hi {host}" }',
                 "only the body of a fallback")):
            with self.subTest(literal):
                self.assertIn(ours, FILE)
                code, told = self.check(FILE.replace(ours, literal))
                self.assertEqual(0, code, told)
                self.assertIn("warning", told)
                self.assertIn(hint, told)

    def test_what_is_meant_as_it_is_written_has_no_warning(self):
        for ours, literal in (("path: /v1/", "path: /v1/a:b"), ("path: /v1/", 'path: /v1/, headers: { accept: "*/*" }'),
                              ("path: /v1/", 'path: /v1/, headers: { x-a: a.b }')):
            with self.subTest(literal):
                code, told = self.check(FILE.replace(ours, literal))
                self.assertEqual((0, False), (code, "warning" in told), told)

    def test_one_mistake_is_one_problem(self):
        for ours, wrong in (("/\\1", "/$1"), ("to: '/\\1'", "to: '/\\1', host: $host"), ("127.0.0.1:9001", '"${NO_SUCH}"')):
            with self.subTest(wrong):
                self.assertIn("yaml: 1 problem\n", self.check(FILE.replace(ours, wrong))[1])

    def test_layout_mistakes_are_told_at_their_place(self):
        for ours, wrong, place, hint in (
                ("listeners: [{ bind: 127.0.0.1:8080 }]", "listeners: [{ bind: 127.0.0.1:8080 }", ":1:12: not YAML: '[' without ']'", ""),
                ("    balance: round_robin", "\tbalance: round_robin", ":4:1: not YAML: a tab in the indent", "indent with spaces"),
                ("    endpoints: [127.0.0.1:9001]", "   endpoints: [127.0.0.1:9001]", "not YAML: ", "begins in the same column")):
            with self.subTest(wrong):
                self.assertIn(ours, FILE)
                code, told = self.check(FILE.replace(ours, wrong))
                self.assertEqual(1, code)
                self.assertIn(place, told)
                self.assertIn(hint, told)

    def test_no_hint_shows_a_mask(self):
        told = self.check("store: 127.0.0.1:6379\n" + FILE)[1]
        hints = " ".join(re.findall(r"(?m)^\s+= (.*)$", told))
        self.assertIn("redis://host:6379/0", hints)
        self.assertNotIn("***", hints)

    def test_a_dollar_sign_can_be_written(self):
        self.assertEqual(0, self.check(FILE.replace("{client.ip}", "$$host costs 5$"))[0])

    def test_sizes_in_every_spelling(self):
        for size, count in {"20M": "20MiB", "20m": "20MiB", "20MiB": "20MiB", "20MB": "20000000B"}.items():
            with self.subTest(size):
                weir = self.weir({"limits": {"body": size}, "routes": [{"respond": 200}]})
                told = self.run_weir("config", "--admin", weir.admin).stdout
                self.assertRegex(told, rf'"body": "{count}"')


class AllAtOnce(CommandLine):
    """A mistake in one place hides none in another."""

    WRONG = FILE + """\
  - name: no-route-behind-it
    match: { path: /old/x }
    upstream: api
  - name: two
    match: { path: /two }
    filters: [{ rate_limit: { rate: 5/second, unique_to: nobody } }, { retry: { attempts: 2, on: [599], per_try: x } }]
    max_body: 20 miles
    upstream: api
  - match: { path: /three }
    filters: [{ cache: { ttl: 5s, shared: true } }]
    upstream: apy
"""

    def test_files_filters_and_routes_are_told_beside_an_invalid_size(self):
        text = self.WRONG.replace("bind: 127.0.0.1:8080", "bind: 127.0.0.1:8080, tls: { certificates: [{ cert: none.pem, "
                                                          "key: none.key }] }")
        code, told = self.check(text)
        self.assertEqual(1, code)
        for problem in ("'20 miles' is not a size", "none.pem' can't be read", "'no-route-behind-it' is never reached",
                        "no upstream is named 'apy'", "unknown setting 'unique_to'", "unknown setting 'per_try'",
                        "routes[4].filters[0].cache"):
            self.assertIn(problem, told)

    def test_a_start_tells_the_same(self):
        text = self.WRONG.replace("bind: 127.0.0.1:8080", "bind: 127.0.0.1:8080, tls: { certificates: [{ cert: none.pem, "
                                                          "key: none.key }] }")
        checked = self.check(text)[1]
        started = self.run_weir("run", "-c", self.file(text))
        self.assertEqual(1, started.returncode)
        problems = re.findall(r"(?m)^\S*weir\.yaml:\d+:\d+: (.*)$", checked)
        self.assertGreater(len(problems), 6)
        told = re.sub(r"/tmp/[^/']+/", "", started.stderr + started.stdout)
        for problem in problems:
            self.assertIn(re.sub(r"/tmp/[^/']+/", "", problem), told)


if __name__ == "__main__":
    unittest.main()
