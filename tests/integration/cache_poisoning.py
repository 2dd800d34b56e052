"""No client can make the cache tell another one what it alone asked for: through fields that are in no key, through ways to write
one path, or through what only the cache and the origin read differently."""

import unittest

import tls
from cache_case import CacheCase, Gate, Page, status_of
from cache_settings import cache, query, serve_stale
from h2_wire import H2Client
from harness import free_address, settings
from settings import headers_filter, rate_limit
from wire import RawClient, fetch, request_bytes

FRESH = "max-age=600"
EVIL = "evil.example"

# What the proxies before an origin say of a client; ours says it itself.
OF_THE_CHAIN = ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded")
# What some frameworks let a client say in place of its request line or Host.
OVERRIDES = ("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Host",
             "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Prefix", "X-HTTP-Host-Override", "X-Original-Host",
             "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Url-Scheme", "Front-End-Https", "X-Forwarded-Uri")


def reflecting(*names, **what):
    """An origin that believes a client: its page has the fields' values in it, and what it was asked for."""
    def script(connection, request, number):
        told = " ".join(f"{name}={request.get(name, '-')}" for name in names)
        Page(**{"body": f"{request.method} {request.target} {told} #{number}", "cache_control": FRESH, **what})(
            connection, request, number)
    return script


class UnkeyedFields(CacheCase):
    caches = {"/": {}, "/ttl/": {"ttl": "30s"}}

    def poisoned(self, name, value):
        """What a victim sees after an attacker has asked with a field that the origin reflects."""
        path = self.page(reflecting(name))
        self.ask(path, fields=[(name, value)])
        victim = self.ask(path)
        self.assertNotIn(value, victim.body.decode(), name)
        return path

    def test_fields_of_the_chain_of_proxies_poison_nothing(self):
        for name in OF_THE_CHAIN:
            with self.subTest(name):
                self.poisoned(name, f"host={EVIL}" if name == "Forwarded" else EVIL)

    def test_fields_of_the_chain_of_proxies_make_no_copies(self):
        for name in OF_THE_CHAIN:
            with self.subTest(name):
                path = self.page(reflecting(name))
                self.filled(path)
                self.assert_hit(self.ask(path, fields=[(name, EVIL)]))
                self.assertEqual(1, self.count(path))

    def test_fields_that_override_the_request_poison_nothing(self):
        for name in OVERRIDES:
            with self.subTest(name):
                self.poisoned(name, "/evil" if name.endswith("URL") else "EVIL")

    def test_fields_that_nobody_knows_make_no_copies(self):
        path = self.page(cache_control=FRESH)
        self.filled(path)
        for name in ("X-Anything", "User-Agent", "Referer", "Cookie", "Accept", "Origin"):
            self.assert_hit(self.ask(path, fields=[(name, EVIL)]))

    def test_a_body_that_a_get_has_is_in_no_key(self):
        """RFC 9110 section 9.3.1: content of a GET has no meaning; an origin that reads it makes a page for one client alone."""
        def script(connection, request, number):
            Page(body=b"said " + bytes(request.body), cache_control=FRESH)(connection, request, number)
        path = self.page(script)
        for method in ("GET", "HEAD"):
            self.ask(path, method=method, body=EVIL.encode())
        self.assertNotIn(EVIL, self.ask(path).body.decode())

    def test_errors_that_a_client_provokes_are_not_kept(self):
        """An oversized field, an odd method or a bad character make an origin refuse; that is no page for others."""
        for under in ("/", "/ttl/"):
            for status in (400, 403, 405, 413, 414, 431, 500, 501):
                def script(connection, request, number, status=status):
                    provoked = request.get("x-provoke")
                    Page(status=status if provoked else 200, **({} if provoked else {"cache_control": FRESH}))(
                        connection, request, number)
                if under == "/ttl/" and status in (405, 414, 501):
                    continue                        # by `ttl` these are kept, as RFC 9110 section 15.1 has it
                with self.subTest(status, under=under):
                    path = self.page(script, under=under)
                    self.assertEqual(status, self.ask(path, x_provoke="1").status)
                    self.assertEqual(200, self.ask(path).status)

    def test_a_range_makes_no_page_for_others(self):
        def script(connection, request, number):
            if request.get("range"):
                page = Page(body=b"01", status=206, content_range="bytes 0-1/10", cache_control=FRESH)
            else:
                page = Page(body=b"0123456789", cache_control=FRESH)
            page(connection, request, number)
        path = self.page(script)
        self.ask(path, range="bytes=0-1")
        victim = self.ask(path)
        self.assertEqual((200, b"0123456789"), (victim.status, bytes(victim.body)))

    def test_conditions_make_no_page_for_others(self):
        """RFC 9110 section 13: 304 and 412 are answers to one client."""
        for name, status in (("If-None-Match", 304), ("If-Match", 412), ("If-Unmodified-Since", 412)):
            def script(connection, request, number, name=name, status=status):
                Page(status=status if request.get(name) else 200, cache_control=FRESH)(connection, request, number)
            with self.subTest(name):
                path = self.page(script)
                self.ask(path, fields=[(name, '"1"')])
                self.assertEqual(200, self.ask(path).status)

    def test_a_field_named_by_connection_takes_nothing_from_the_key(self):
        """RFC 9110 section 7.6.1: what a client names in Connection is gone at the origin, and must be in the variant as well."""
        path = self.page(reflecting("accept-language", vary="accept-language"))
        self.ask(path, connection="accept-language", accept_language="en")
        english = self.ask(path, accept_language="en")
        self.assertIn("accept-language=en", english.body.decode())


class BehindTheCache(CacheCase):
    """Filters between the cache and the origin change what the origin sees: the key has none of it."""

    @classmethod
    def filters(cls, block):
        return [cache(**block), headers_filter({"set": {"x-user": "{client.ip}", "authorization": "{query.token}"}}),
                rate_limit("1000/s", key="client.ip")]

    def test_a_page_that_varies_by_a_field_set_there_is_not_stored(self):
        """RFC 9111 section 4.1."""
        path = self.page(reflecting("X-User", vary="X-User"))
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
            response = self.ask(path, source=source)
            self.assertIn(source.encode(), bytes(response.body))
            self.assert_miss(response, detail="vary")

    def test_a_page_that_varies_by_another_field_is(self):
        path = self.page(Page(cache_control=FRESH, vary="X-Other"))
        self.filled(path)
        self.assert_hit(self.ask(path))

    def test_a_page_for_an_authorization_set_there_is_not_stored(self):
        """RFC 9111 section 3.5."""
        path = self.page(Page(cache_control=FRESH))
        for _ in range(2):
            self.assert_miss(self.ask(path + "?token=ann"), detail="authorization")

    def test_unless_the_origin_says_that_all_may_have_it(self):
        path = self.page(Page(cache_control=f"{FRESH}, public"))
        self.filled(path + "?token=ann")
        self.assert_hit(self.ask(path + "?token=ann"))

    def test_what_is_left_of_one_client_s_quota_is_shown_to_no_other(self):
        path = self.page(Page(cache_control=FRESH))
        self.assertIsNotNone(self.filled(path).get("ratelimit"))
        hit = self.ask(path)
        self.assert_hit(hit)
        self.assertIsNone(hit.get("ratelimit"))
        self.assertIsNone(hit.get("ratelimit-policy"))


class OneClientsAnswer(CacheCase):
    """What one client provokes changes nothing for others."""

    caches = {"/": serve_stale(failing="1h")}

    def test_an_answer_to_its_terms_alone_does_not_end_that_all_wait_for_one_request(self):
        for what in ({"status": 406}, {"cache_control": "private"}):
            with self.subTest(what):
                path = self.page(Page(**what))
                self.ask(path, cookie="who=1")
                gate = Gate(Page(cache_control=FRESH))
                self.page(gate, path=path)
                clients = [self.client(self.shared) for _ in range(10)]
                for client in clients:
                    client.send(request_bytes(target=path))
                gate.wait_held()
                gate.open.set()
                for client in clients:
                    self.assertEqual(200, client.response().status)
                self.assertEqual(2, self.count(path))

    def test_a_private_answer_to_one_takes_the_page_from_no_other(self):
        path = self.page(Page(cache_control="max-age=600", age=700, etag='"1"'))
        self.filled(path)
        self.page(Page(cache_control="private"), path=path)
        self.ask(path, cookie="who=1")
        self.page(lambda connection, *_: connection.reset(), path=path)
        response = self.ask(path)
        self.assertEqual(200, response.status)
        self.assert_stale_hit(response)


class Paths(CacheCase):
    """Two ways to write a URL are one key only if the origin is asked the same for both."""

    caches = {"/": {"bypass": ["header.x-straight"]}}

    def setUp(self):
        super().setUp()
        self.origin.pages.clear()
        self.saved, self.origin.pages = self.origin.pages, Everywhere(reflecting())
        self.addCleanup(setattr, self.origin, "pages", self.saved)

    def raw(self, target, host="weir.test", **fields):
        """The response, with nothing said about whether it is a good one."""
        return self.ask(target, host=host, **fields)

    def asked_for(self, response):
        """The target that the origin was asked for."""
        return response.body.decode().split(" ")[1] if response.status == 200 else None

    def assert_sound(self, one, other):
        """Whether they share a copy; if so, the origin takes them for the same."""
        first, second = self.raw(one), self.raw(other)
        if second.status != 200 or not status_of(second).is_hit:
            return False
        straight = self.raw(other, x_straight="1")
        self.assertEqual(self.asked_for(first), self.asked_for(straight), f"{one} and {other} share a copy")
        return True

    tricks = ("/{n}/a/../b", "/{n}/./b", "/{n}/a/%2e%2e/b", "/{n}/a/%2E%2e/b", "/{n}/%2e/b", "/{n}//b", "//{n}/b", "/{n}/%62",
              "/{n}/b/", "/{n}/b?", "/{n}/b/.", "/{n}/b/..", "/{n}/b;x=1", "/{n}%2fb", "/{n}%2Fb", "/{n}/b%3f",
              "/{n}/b%3Fa=1", "/{n}/b?a=1",
              "/{n}/b%00", "/{n}/b%20", "/{n}/B", "/{n}/a/..%2fb", "/{n}/a/..;/b", "/{n}\\b", "/{n}/%5c../b", "/{n}/b%23x",
              "/{n}/b%25", "/{n}/b%252e", "/{n}/b?/../c", "/{n}/../{n}/b", "/{n}/%C3%A9", "/{n}/%c3%a9")

    def test_no_trick_shares_a_copy_that_the_origin_would_not(self):
        """RFC 9111 section 2: the key is the target URI."""
        number = 0
        for trick in self.tricks:
            for before in (True, False):
                number += 1
                plain, odd = f"/t{number}/b", trick.replace("{n}", f"t{number}")
                with self.subTest(odd, before=before):
                    self.assert_sound(*((odd, plain) if before else (plain, odd)))

    def test_the_origin_sees_the_path_that_is_the_key(self):
        """RFC 3986 section 6.2.2: dots and needless escapes are taken out before either."""
        for number, odd in enumerate(("/a/../b", "/./b", "/a/%2e%2e/b", "/%62")):
            with self.subTest(odd):
                self.assertTrue(self.assert_sound(f"/s{number}/b", f"/s{number}{odd}"))

    def test_a_path_that_climbs_out_poisons_nothing_inside(self):
        self.raw("/inside/../outside")
        self.assertEqual("/inside/", self.asked_for(self.raw("/inside/")))
        self.assertEqual("/outside", self.asked_for(self.raw("/outside")))

    def test_escapes_differ_in_case_alone(self):
        """RFC 3986 section 6.2.2.1."""
        self.assert_sound("/%C3%A9", "/%c3%a9")

    def test_the_host_s_case_and_the_usual_port_make_no_copies(self):
        """RFC 9110 section 4.2.3."""
        self.assert_miss(self.raw("/hosts", host="weir.test"))
        for host in ("WEIR.test", "Weir.Test", "weir.test:80"):
            with self.subTest(host):
                self.assert_hit(self.raw("/hosts", host=host))

    def test_another_port_is_another_host(self):
        """RFC 9110 section 4.3.1."""
        self.raw("/ports")
        for host in ("weir.test:8080", "weir.test:443", "weir.test.:80", "xweir.test"):
            with self.subTest(host):
                self.assert_miss(self.raw("/ports", host=host))

    def test_a_target_with_a_host_of_its_own_is_that_host_s(self):
        """RFC 9112 section 3.2.2: Host is ignored beside an absolute target."""
        self.raw("/absolute")
        self.assert_hit(self.raw("http://weir.test/absolute", host="weir.test"))
        for target in ("http://evil.example/absolute", "http://evil.example/other"):
            self.assert_miss(self.raw(target, host="weir.test"))
        self.assert_miss(self.raw("/other", host="weir.test"))

    def test_two_hosts_are_no_request(self):
        """RFC 9112 section 3.2."""
        with RawClient(self.shared.address) as client:
            client.send("GET /twice HTTP/1.1\r\nHost: weir.test\r\nHost: evil.example\r\n\r\n")
            self.assertEqual(400, client.response().status)
        self.assert_miss(self.raw("/twice"))

    def test_nothing_in_a_host_passes_for_a_path(self):
        for host in ("weir.test/evil", "weir.test?x", "weir.test#x", "weir.test:80/evil", "weir.test, evil.example",
                     "user@weir.test"):
            with self.subTest(host):
                response = self.raw("/parts", host=host)
                if response.status == 200:
                    self.assertNotIn("hit", status_of(response))
        self.assertEqual("/parts", self.asked_for(self.raw("/parts")))


class Everywhere(dict):
    """The same page at each path."""

    def __init__(self, page):
        super().__init__()
        self.page = page

    def get(self, key, default=None):
        return None if isinstance(key, tuple) else self.page


class Schemes(CacheCase, tls.TlsCase):
    """What came in the clear is not what is told to those who came by TLS, whatever scheme a request line claims."""

    @classmethod
    def setUpClass(cls):
        tls.TlsCase.setUpClass.__func__(cls)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.both = self.weir(self.configured(
            self.origin, listeners=[settings.listener(free_address()), self.secure()]))

    def by_tls(self, path):
        with tls.TlsClient(self.both.addresses[1], self.context()) as client:
            return client.get(path, host="a.test")

    def in_the_clear(self, path):
        return self.ask(path, weir=self.both, host="a.test")

    def test_each_has_its_own_copy(self):
        """RFC 9110 section 4.2.2: http and https are different origins."""
        path = self.page(reflecting("X-Forwarded-Proto"))
        for ask, scheme in ((self.in_the_clear, "http"), (self.by_tls, "https")):
            self.assert_miss(ask(path))
            again = ask(path)
            self.assert_hit(again)
            self.assertIn(f"Proto={scheme} ", again.body.decode())

    def test_a_scheme_that_is_only_claimed_gets_no_other_s_copy(self):
        """RFC 9112 section 3.3: an absolute target may name any scheme."""
        path = self.page(reflecting("X-Forwarded-Proto"))
        fetch(self.both.address, target=f"https://a.test{path}", host="a.test")
        with H2Client(self.both.address) as client:
            client.get(path, host="a.test", scheme="https")
        self.assertIn("Proto=https ", self.by_tls(path).body.decode())
        with tls.TlsClient(self.both.addresses[1], self.context()) as client:
            client.get(f"http://a.test{path}", host="a.test")
        self.assertIn("Proto=http ", self.in_the_clear(path).body.decode())


class LongKeys(CacheCase):
    caches = {"/": {}, "/user/": {"key": ["header.x-user"]}, "/sort/": query(sort=True)}
    more = settings.client_limits(request_line="80KiB", head="200KiB")

    def test_urls_as_long_as_they_may_be(self):
        for size in (8 * 1024, 64 * 1024):
            with self.subTest(size):
                path = self.page(cache_control=FRESH)
                long = "?q=" + "a" * size
                first = self.ask(path + long)
                second = self.ask(path + long)
                self.assertEqual((200, 200), (first.status, second.status))
                other = self.ask(path + long + "b")
                self.assertNotEqual(bytes(first.body), bytes(other.body))
                self.assertNotEqual(bytes(first.body), bytes(self.ask(path + long[:-1]).body))

    def test_a_key_of_8_kib_is_a_key(self):
        path = self.page(cache_control=FRESH)
        self.assert_reused(path + "?q=" + "a" * 8 * 1024)

    def test_values_as_long_as_they_may_be(self):
        path = self.page(under="/user/", cache_control=FRESH)
        for size in (8 * 1024, 64 * 1024):
            with self.subTest(size):
                bodies = [bytes(self.ask(path, x_user="u" * size + end).body) for end in ("", "v", "w")]
                self.assertEqual(3, len(set(bodies)))

    def test_thousands_of_parameters_are_sorted_in_time(self):
        path = self.page(under="/sort/", cache_control=FRESH)
        pairs = [f"p{number}={number}" for number in range(5000)]
        self.filled(path + "?" + "&".join(pairs))
        self.assert_hit(self.ask(path + "?" + "&".join(reversed(pairs))))


if __name__ == "__main__":
    unittest.main()
