"""TLS to clients and to backends, with real peers: curl, openssl s_client, Python's ssl."""

import base64
import json
import os
import re
import shutil
import ssl
import subprocess
import time
import unittest

from backend import HttpBackend, answers, digest, fields_of, ok, pattern
from certificates import EXPIRED, Authority
from harness import WEIR, WeirCase, eventually, free_address, settings
from settings import route
from h2_wire import H2Client
from wire import Closed, Cut, RawClient, Stream, connect, request_bytes

FAILURES = "weir_tls_handshake_failures_total"
EXPIRY = "weir_tls_certificate_expiry_seconds"


def run(*command, data=None):
    return subprocess.run([str(word) for word in command], input=data, capture_output=True, timeout=60)


class TlsClient(RawClient):
    """A RawClient that speaks TLS, by Python's ssl."""

    def __init__(self, address, context, name="a.test"):
        super().__init__(address)
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.stream = Stream(self.sock)


class TlsBackend(HttpBackend):
    def __init__(self, context, **how):
        self.context = context
        self.shaken = []                             # for each handshake: (server name, resumed, client certificate)
        super().__init__(**how)

    def _play(self, connection):
        try:
            connection.sock = self.context.wrap_socket(connection.sock, server_side=True)
        except OSError:
            return connection.close()
        connection.stream.sock = connection.sock
        self.shaken.append((connection.sock.session_reused, connection.sock.getpeercert()))
        super()._play(connection)


class TlsCase(WeirCase):
    @classmethod
    def setUpClass(cls):
        cls.files = os.path.join("/tmp", f"weir-tls-{os.getpid()}-{os.urandom(3).hex()}")
        os.mkdir(cls.files)
        cls.addClassCleanup(shutil.rmtree, cls.files, ignore_errors=True)
        cls.authority = Authority(cls.files)
        cls.stranger = Authority(cls.files, "stranger")
        cls.site = cls.authority.issue("a.test", "127.0.0.1", name="site")

    def secure(self, *certificates, **more):
        pairs = certificates or (self.site,)
        return settings.listener(free_address(), tls={"certificates": [pair.yaml() for pair in pairs], **more})

    def serving(self, listener=None, backend=None, **config):
        return self.in_front_of(backend or self.backend(), listeners=[listener or self.secure()], **config)

    def context(self, certificate=None, **how):
        context = ssl.create_default_context(cafile=self.authority.ca)
        if certificate:
            context.load_cert_chain(certificate.cert, certificate.key)
        for name, value in how.items():
            setattr(context, name, value)
        return context

    def tls(self, weir, name="a.test", **how):
        client = TlsClient(weir.address, self.context(**how), name)
        self.addCleanup(client.close)
        return client

    def curl(self, weir, path="/", *options, name="a.test"):
        host, port = weir.address.rsplit(":", 1)
        return run("curl", "-sS", "--http1.1", "--cacert", self.authority.ca, "--resolve", f"{name}:{port}:{host}", *options,
                   f"https://{name}:{port}{path}")

    def s_client(self, weir, *options, name="a.test"):
        told = run("openssl", "s_client", "-connect", weir.address, "-servername", name, "-CAfile", self.authority.ca,
                   *options, data=b"")
        return (told.stdout + told.stderr).decode(errors="replace")

    def failures(self, weir, reason):
        return eventually(lambda: weir.metric(FAILURES, reason=reason), f"a handshake that failed: {reason}")


class Clients(TlsCase):
    def test_curl_over_both_versions(self):
        weir = self.serving()
        for version, option in (("TLSv1.2", "1.2"), ("TLSv1.3", "1.3")):
            with self.subTest(version):
                told = self.curl(weir, f"/{option}", "--tls-max", option, f"--tlsv{option}")
                self.assertEqual(0, told.returncode, told.stderr)
                account = json.loads(told.stdout)
                self.assertEqual(["https"], fields_of(account, "x-forwarded-proto"))
                line = weir.log_of(f"/{option}")[0]
                self.assertEqual(version, line["tls"]["version"])
                self.assertEqual("a.test", line["tls"]["sni"])
                self.assertIn("GCM", line["tls"]["cipher"])

    def test_old_versions_are_refused_and_counted(self):
        weir = self.serving(self.secure(min_version="1.3"))
        self.assertIn("alert protocol version", self.s_client(weir, "-tls1_2"))
        self.assertEqual(1, self.failures(weir, "version"))
        self.assertEqual(1, weir.metric(settings.REFUSED_CONNECTIONS, reason="tls_handshake"))

    def test_http_1_1_is_agreed_on(self):
        weir = self.serving()
        self.assertIn("ALPN protocol: http/1.1", self.s_client(weir, "-alpn", "spdy/1,http/1.1"))
        self.assertIn("alert no application protocol", self.s_client(weir, "-alpn", "gopher"))
        self.assertEqual(1, self.failures(weir, "protocol"))

    def test_the_certificate_is_chosen_by_name(self):
        rsa = self.authority.issue("b.test", name="b-rsa", kind="rsa")
        ec = self.authority.issue("b.test", name="b-ec")
        wild = self.authority.issue("*.c.test", name="c-any")
        weir = self.serving(self.secure(self.site, rsa, ec, wild))
        for name, subject, options in (("a.test", "site", []), ("b.test", "b-ec", []), ("x.c.test", "c-any", []),
                                       ("b.test", "b-rsa", ["-sigalgs", "RSA-PSS+SHA256"]), ("x.y.c.test", "site", []),
                                       ("b.test.", "b-ec", []), ("x.C.test.", "c-any", []),
                                       ("c.test", "site", []), ("stranger.test", "site", [])):
            with self.subTest(name):
                self.assertRegex(self.s_client(weir, *options, name=name), f"subject=CN ?= ?{subject}\n")

    def test_a_session_resumes_on_any_worker_and_after_a_reload(self):
        weir = self.serving(workers=2)
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                kept = os.path.join(self.folder(), "session")
                context = self.context(maximum_version=ssl.TLSVersion.TLSv1_2 if version == "-tls1_2" else ssl.TLSVersion.TLSv1_3)
                session, resumed = None, []
                for turn in range(12):
                    if turn == 6:
                        weir.reload()
                    client = RawClient(weir.address)
                    client.sock = context.wrap_socket(client.sock, server_hostname="a.test", session=session)
                    client.stream = Stream(client.sock)
                    self.assertEqual(200, client.get().status)
                    session = client.sock.session
                    resumed.append(client.sock.session_reused)
                    client.close()
                self.assertEqual([False] + [True] * 11, resumed)

    def test_one_ticket_a_handshake(self):
        weir = self.serving()
        client = self.tls(weir)
        told = run("openssl", "s_client", "-connect", weir.address, "-msg", "-ign_eof", "-tls1_3",
                   data=request_bytes(fields={"Connection": "close"})).stdout.decode(errors="replace")
        self.assertEqual(1, len(re.findall("<<< TLS 1.3, Handshake .*NewSessionTicket", told)))
        client.close()

    def test_large_bodies_both_ways(self):
        backend = self.backend()
        weir = self.serving(backend=backend)
        body = pattern(20 << 20)
        client = self.tls(weir)
        account = client.request("POST", "/", body=body).json()
        self.assertEqual((len(body), digest(body)), (account["length"], account["digest"]))
        for kind in ("bytes", "chunked"):
            response = client.get(f"/{kind}/{len(body)}")
            self.assertEqual(digest(body), digest(response.body))
        told = self.curl(weir, f"/bytes/{len(body)}")
        self.assertEqual(digest(body), digest(told.stdout))

    def test_requests_in_pieces_and_in_one_record(self):
        weir = self.serving()
        client = self.tls(weir)
        for fragment in (1, 7, None):
            self.assertEqual(200, client.request(target="/x", fragment=fragment).status)
        client.send(request_bytes(target="/1") + request_bytes(target="/2"))
        self.assertEqual(["/1", "/2"], [client.response().json()["target"] for _ in range(2)])
        self.assertEqual(1, weir.metric("weir_connections_accepted_total"))

    def test_a_body_that_ends_with_the_connection_ends_with_a_farewell(self):
        weir = self.serving()
        client = self.tls(weir)
        response = client.get("/chunked/100000", version="1.0")
        self.assertEqual(100_000, len(response.body))
        self.assertTrue(client.is_closed())          # Python raises on an end without close_notify

    def test_a_client_that_leaves_takes_its_upstream_connection_along(self):
        backend = self.backend()
        weir = self.serving(backend=backend)
        client = self.tls(weir)
        client.send(request_bytes(target="/hold"))
        backend.held.acquire()
        client.close()
        self.assertTrue(backend.connections[0].wait_closed())
        line = weir.log_of("/hold")[0]
        self.assertEqual((settings.NO_STATUS_SENT, {"DC"}), (line.status, line.flags))
        slow = self.tls(weir)
        slow.send(request_bytes(target="/bytes/50000000"))
        slow.head()
        slow.reset()
        weir.log_of("/bytes/50000000")
        self.assertEqual(b"", self.curl(weir).stderr)

    def test_what_is_no_tls_is_closed_and_counted(self):
        weir = self.serving()
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\xff" * 300, b"\x16\x03\x01"):
            with RawClient(weir.address) as client:
                client.send(data)
                client.half_close()
                try:
                    client.stream.rest(bytearray())
                except ConnectionResetError:
                    pass
        self.assertEqual(1, self.failures(weir, "closed"))
        self.assertEqual(2, self.failures(weir, "not_tls"))
        eventually(lambda: weir.metric(FAILURES) == 3, "three failures")
        eventually(lambda: weir.metric(settings.CONNECTIONS) == 0, "no connection left")
        self.assertEqual(200, self.tls(weir).get().status)

    def test_a_handshake_has_its_time(self):
        weir = self.serving(self.secure(handshake_timeout="50ms"))
        with RawClient(weir.address) as client:
            self.assertTrue(client.is_closed())
        self.assertEqual(1, self.failures(weir, "timed_out"))

    def test_one_line_redirects_to_https(self):
        plain = settings.listener(free_address(), name="plain")
        weir = self.in_front_of(self.backend(), listeners=[plain, self.secure()], routes=[
            route({"listener": "plain"}, redirect="https"), route("/", "api", "all")])
        response = self.fetch(weir, target="/a/b?c=d", host="a.test:8080")
        self.assertEqual((308, "https://a.test/a/b?c=d"), (response.status, response.get("location")))

    def test_a_request_that_calls_itself_plain_is_https_all_the_same(self):
        weir = self.serving(routes=[route("/", redirect={"to": "{scheme}://other.test/"})])
        response = self.tls(weir).get("http://a.test/x")
        self.assertEqual("https://other.test/", response.get("location"))

    def test_expired_responses_are_not_stapled_and_noise_is_refused(self):
        noise = os.path.join(self.folder(), "ocsp")
        with open(noise, "w") as file:
            file.write("noise")
        listener = settings.listener(free_address(), tls={"certificates": [self.site.yaml(ocsp=noise)]})
        self.assertIn("holds no successful OCSP response", self.refused_start(
            {"listeners": [listener], "routes": [settings.answers(200)]}))

    def test_an_ocsp_response_is_stapled(self):
        response = os.path.join(self.folder(), "ocsp.der")
        authority = self.authority
        run("openssl", "ocsp", "-index", authority.path("index"), "-CA", authority.ca, "-rsigner", authority.ca, "-rkey",
            authority.path("ca.key"), "-issuer", authority.ca, "-cert", self.site.cert, "-respout", response, "-ndays", "2")
        listener = settings.listener(free_address(), tls={"certificates": [self.site.yaml(ocsp=response)]})
        told = self.s_client(self.serving(listener), "-status")
        self.assertIn("OCSP Response Status: successful", told)
        self.assertIn("Cert Status: good", told)
        self.assertIn("OCSP response: no response sent", self.s_client(self.serving(), "-status"))


    def ocsp(self, pair, *more):
        """The authority's OCSP response about a certificate."""
        response = os.path.join(self.folder(), f"{os.path.basename(pair.cert)}.ocsp")
        authority = self.authority
        run("openssl", "ocsp", "-index", authority.path("index"), "-CA", authority.ca, "-rsigner", authority.ca, "-rkey",
            authority.path("ca.key"), "-issuer", authority.ca, "-cert", pair.cert, "-respout", response, *more)
        return response

    def test_an_ocsp_response_about_another_certificate_is_refused(self):
        other = self.authority.issue("other.test")
        listener = settings.listener(free_address(), tls={"certificates": [
            self.site.yaml(ocsp=self.ocsp(other, "-ndays", "2"))]})
        self.assertIn("holds the OCSP response of another certificate", self.refused_start(
            {"listeners": [listener], "routes": [settings.answers(200)]}))

    def test_an_ocsp_response_that_says_revoked_is_not_stapled_and_warned_of(self):
        pair = self.authority.issue("revoked.test")
        self.authority.revoke(pair)
        listener = settings.listener(free_address(), tls={"certificates": [
            pair.yaml(ocsp=self.ocsp(pair, "-ndays", "2"))]})
        weir = self.serving(listener)
        self.assertIn("OCSP response: no response sent", self.s_client(weir, "-status"))
        self.assertTrue(weir.says("doesn't say that the certificate is good"))

    def test_a_certificate_without_an_end_is_served(self):
        pair = self.authority.issue("endless.test", dates=("20200101000000Z", "99991231235959Z"))
        listener = settings.listener(free_address(), tls={"certificates": [pair.yaml()]})
        weir = self.serving(listener)
        self.assertIn("BEGIN CERTIFICATE", self.s_client(weir))
        self.assertEqual(253402300799, weir.metric("weir_tls_certificate_expiry_seconds"))
        self.assertIn("(until 9999-12-31)", weir.events("started")[0])


class LastBytes(TlsCase):
    """Of a response after which the connection closes: TLS itself says something while they are on their way."""

    LINE = b"0123456789abcdef" * 64 + b"\n"
    LINES = 16_384

    def setUp(self):
        body = self.LINE * self.LINES
        backend = self.scripted(answers(ok(body)))
        self.running = self.serving(backend=backend)
        self.request = request_bytes(target="/large", fields={"Connection": "close"})

    def is_all_sent(self):
        """The kernel has all of it."""
        return self.running.metric(settings.IN_FLIGHT) == 0

    def test_a_client_that_updates_its_keys_gets_all_of_them(self):
        peer = subprocess.Popen(["openssl", "s_client", "-connect", self.running.address, "-tls1_3"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(peer.communicate)
        self.addCleanup(peer.kill)
        came = bytearray()
        while b"SSL handshake has read" not in came:
            came += os.read(peer.stdout.fileno(), 65536)
        os.write(peer.stdin.fileno(), self.request)
        updates = 0
        while piece := os.read(peer.stdout.fileno(), 65536):
            came += piece
            if updates == 0 and not self.is_all_sent():
                continue                                 # asking takes time: it reads more slowly than Weir writes
            elif updates < 5:
                os.write(peer.stdin.fileno(), b"K\n")
                updates += 1
                time.sleep(0.05)
        self.assertEqual(5, updates)
        self.assertEqual(self.LINES, came.count(self.LINE))

    def test_a_client_that_says_its_own_end_early_gets_all_of_them(self):
        sock = connect(self.running.address)
        self.addCleanup(sock.close)
        came, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(came, going, server_hostname="a.test")

        def hear():
            piece = sock.recv(65536)
            came.write(piece)
            return piece
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            sock.sendall(going.read())
            if not done:
                hear()
        tls.write(self.request)
        sock.sendall(going.read())
        raw = 0
        while not self.is_all_sent():
            raw += len(hear())
        with self.assertRaises(ssl.SSLError):            # more data comes behind what it says: close_notify
            tls.unwrap()
        sock.sendall(going.read())
        while piece := hear():
            raw += len(piece)
        self.assertGreater(raw, len(self.LINE) * self.LINES)


class ClientCertificates(TlsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann = cls.authority.issue("ann.test", name="ann")
        cls.eve = cls.stranger.issue("eve.test", name="eve")

    def asking(self, mode):
        return self.secure(client_auth={"mode": mode, "ca": self.authority.ca})

    def test_required(self):
        weir = self.serving(self.asking("required"))
        refused = self.curl(weir)
        self.assertNotEqual(0, refused.returncode)
        self.assertEqual(1, self.failures(weir, "no_certificate"))
        stranger = self.curl(weir, "/", "--cert", self.eve.cert, "--key", self.eve.key)
        self.assertNotEqual(0, stranger.returncode)
        self.assertEqual(1, self.failures(weir, "bad_certificate"))
        told = self.curl(weir, "/mine", "--cert", self.ann.cert, "--key", self.ann.key)
        account = json.loads(told.stdout)
        der = run("openssl", "x509", "-in", self.ann.cert, "-outform", "DER").stdout
        self.assertEqual([f":{base64.b64encode(der).decode()}:"], fields_of(account, "client-cert"))
        self.assertEqual("CN=ann", weir.log_of("/mine")[0]["tls"]["client"])

    def test_optional(self):
        weir = self.serving(self.asking("optional"))
        for certificate, count in ((None, 0), (self.ann, 1)):
            account = self.tls(weir, certificate=certificate).get(host="a.test", fields={"Client-Cert": ":lie:"}).json()
            found = fields_of(account, "client-cert")
            self.assertEqual(count, len(found))
            self.assertNotIn(":lie:", found)

    def test_a_clients_own_word_is_removed_on_every_listener(self):
        weir = self.in_front_of(self.backend())
        account = self.fetch(weir, fields={"client-cert": ":lie:", "Client-Cert-Chain": ":lie:"}).json()
        self.assertEqual([], fields_of(account, "client-cert.*"))

    def test_keys_tell_who_it_is(self):
        fields = {"x-sni": "{tls.sni}", "x-subject": "{tls.client.subject}", "x-print": "{tls.client.fingerprint}", "x-names": "{tls.client.names}"}
        weir = self.serving(self.asking("required"), filters=[settings.headers_filter(request={"set": fields})])
        account = self.tls(weir, certificate=self.ann).get(host="a.test").json()
        told = run("openssl", "x509", "-in", self.ann.cert, "-noout", "-fingerprint", "-sha256").stdout.decode()
        self.assertEqual(["a.test"], fields_of(account, "x-sni"))
        self.assertEqual(["CN=ann"], fields_of(account, "x-subject"))
        self.assertEqual(["ann.test"], fields_of(account, "x-names"))
        self.assertEqual([told.split("=")[1].strip().replace(":", "").lower()], fields_of(account, "x-print"))

    def test_a_connection_for_one_host_opens_no_other(self):
        pair = self.authority.issue("a.test", "b.test", "127.0.0.1", name="both")
        for mode, status in (("required", 421), ("optional", 421), ("off", 200)):
            with self.subTest(mode):
                weir = self.serving(self.secure(pair, client_auth={"mode": mode, "ca": self.authority.ca}))
                client = self.tls(weir, certificate=self.ann)
                self.assertEqual(status, client.get(host="b.test").status)
                self.assertEqual(200, client.get(host="A.test:443").status)
                self.assertEqual(200, self.tls(weir, "b.test", certificate=self.ann).get(host="b.test").status)
                self.assertEqual(200, self.tls(weir, "127.0.0.1", certificate=self.ann).get(host="b.test").status)
                told = self.curl(weir, "/h2", "--cert", self.ann.cert, "--key", self.ann.key, "--http2", "-H", "Host: b.test",
                                 "-o", "/dev/null", "-w", "%{http_code} %{http_version}")
                self.assertEqual(f"{status} 2".encode(), told.stdout)

    # -- after a reload

    def reloaded(self, weir, listener, **client_auth):
        bind = {"bind": listener["bind"], "tls": {**listener["tls"], "client_auth": client_auth}}
        with open(weir.file) as file:
            config = json.load(file)
        weir.reload({**config, "listeners": [bind]})

    def h2(self, weir, certificate=None):
        context = self.context(certificate=certificate)
        context.set_alpn_protocols(["h2"])
        client = H2Client(weir.address, context)
        self.addCleanup(client.close)
        return client

    def assert_drained(self, weir, client, client2):
        """Told to go at once, and refused if they stay."""
        client2.until(lambda: client2.goaway is not None)
        refused = client.get(host="a.test")
        self.assertEqual((421, True), (refused.status, refused.closes()))
        self.assertEqual("urn:weir:error:misdirected", refused.json()["type"])
        self.assertTrue(client.is_closed())
        eventually(lambda: weir.metric(settings.REFUSED_CONNECTIONS, reason="client_certificate") >= 2, "both are counted")

    def test_a_reload_that_asks_for_certificates_drains_connections_without_one(self):
        listener = self.secure()
        weir = self.serving(listener)
        client, client2 = self.tls(weir), self.h2(weir)
        self.assertEqual([200, 200], [client.get(host="a.test").status, client2.get(host="a.test").status])
        self.reloaded(weir, listener, mode="required", ca=self.authority.ca)
        self.assert_drained(weir, client, client2)
        self.assertEqual(200, self.tls(weir, certificate=self.ann).get(host="a.test").status)

    def test_a_reload_that_replaces_the_authority_drains_the_clients_of_the_old_one(self):
        listener = self.asking("required")
        weir = self.serving(listener)
        client, client2 = self.tls(weir, certificate=self.ann), self.h2(weir, self.ann)
        self.assertEqual([200, 200], [client.get(host="a.test").status, client2.get(host="a.test").status])
        self.reloaded(weir, listener, mode="required", ca=self.stranger.ca)
        self.assert_drained(weir, client, client2)

    def test_a_reload_after_which_the_client_still_gets_in_drains_nobody(self):
        listener = self.asking("required")
        weir = self.serving(listener)
        client, client2 = self.tls(weir, certificate=self.ann), self.h2(weir, self.ann)
        both = os.path.join(self.folder(), "both.pem")
        with open(both, "w") as file, open(self.stranger.ca) as first, open(self.authority.ca) as second:
            file.write(first.read() + second.read())
        for change in ({"mode": "required", "ca": self.authority.ca}, {"mode": "required", "ca": both},
                       {"mode": "optional", "ca": both}, {"mode": "off"}):
            self.reloaded(weir, listener, **change)
            response = client.get(host="a.test")
            self.assertEqual((200, False), (response.status, response.closes()))
            self.assertEqual(200, client2.get(host="a.test").status)
        self.assertIsNone(client2.goaway)

    def test_a_request_under_way_is_finished_and_a_plain_connection_is_refused(self):
        backend, bind = self.backend(), free_address()
        weir = self.in_front_of(backend, listeners=[settings.listener(bind)])
        idle, busy = self.client(weir), self.client(weir)
        self.assertEqual(200, idle.get().status)
        busy.send(request_bytes(target="/hold"))
        backend.held.acquire()
        self.reloaded(weir, self.secure() | {"bind": bind}, mode="required", ca=self.authority.ca)
        self.assertEqual(421, idle.get().status)
        backend.release.set()
        response = busy.response()
        self.assertEqual((200, True), (response.status, response.closes()))

    def test_sessions_end_with_the_clients_certificate(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for more in ({}, {"early_data": True}):
                with self.subTest(version, **more):
                    weir = self.serving(self.secure(client_auth={"mode": "required", "ca": self.authority.ca}, **more))
                    until = time.time() + 4
                    stamp = lambda when: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when))
                    brief = self.authority.issue("ann.test", name=f"brief-{os.urandom(3).hex()}", dates=(stamp(until - 3600), stamp(until)))
                    context, session = self.context(certificate=brief, maximum_version=version), None
                    resumed = []
                    while time.time() < int(until) + 1.5:      # each resumption brings a new ticket
                        client = RawClient(weir.address)
                        self.addCleanup(client.close)
                        try:
                            client.sock = context.wrap_socket(client.sock, server_hostname="a.test", session=session)
                            client.stream = Stream(client.sock)
                            self.assertEqual(200, client.get(host="a.test").status)
                        except (OSError, Closed, Cut):
                            break
                        resumed.append(client.sock.session_reused)
                        session = client.sock.session
                        time.sleep(0.1)
                    self.assertGreater(resumed.count(True), 0)
                    client = RawClient(weir.address)
                    self.addCleanup(client.close)
                    with self.assertRaises((OSError, Closed, Cut)):
                        client.sock = context.wrap_socket(client.sock, server_hostname="a.test", session=session)
                        client.stream = Stream(client.sock)
                        client.get(host="a.test")
                    eventually(lambda: weir.metric(FAILURES), "a handshake that failed")

    def test_a_resumed_session_knows_its_client(self):
        weir = self.serving(self.asking("required"))
        context, session = self.context(certificate=self.ann), None
        for turn in range(3):
            client = RawClient(weir.address)
            client.sock = context.wrap_socket(client.sock, server_hostname="a.test", session=session)
            client.stream = Stream(client.sock)
            self.assertEqual(1, len(fields_of(client.get(host="a.test").json(), "client-cert")))
            self.assertEqual(turn > 0, client.sock.session_reused)
            session = client.sock.session
            client.close()


class Configuration(TlsCase):
    def check(self, *certificates, folder=None, **more):
        """What `weir check` says of a listener with these."""
        path = os.path.join(folder or self.folder(), "weir.yaml")
        lines = "".join(f"        - cert: {cert}\n          key: {key}\n" for cert, key in certificates)
        with open(path, "w") as file:
            file.write(f"listeners:\n  - bind: 127.0.0.1:1\n    tls:\n      certificates:\n{lines}routes: [{{ respond: 204 }}]\n")
        told = run(WEIR, "check", path)
        return told.returncode, told.stderr.decode().replace(path, "weir.yaml")

    def test_paths_are_relative_to_the_file(self):
        folder = self.folder()
        os.mkdir(os.path.join(folder, "certs"))
        shutil.copy(self.site.cert, os.path.join(folder, "certs", "site.pem"))
        shutil.copy(self.site.key, os.path.join(folder, "certs", "site.key"))
        self.assertEqual((0, ""), self.check(("certs/site.pem", "certs/site.key"), folder=folder))

    def test_each_mistake_is_told_with_its_line(self):
        other = self.authority.issue("b.test", name="other")
        old = self.authority.issue("old.test", name="old", dates=EXPIRED)
        code, told = self.check((self.site.cert, other.key), (old.cert, old.key), ("/nowhere.pem", "/nowhere.key"))
        self.assertEqual(1, code)
        self.assertRegex(told, r"weir\.yaml:6:16: listeners\[0\]\.tls\.certificates\[0\]\.key: the key isn't the one of the certificate")
        self.assertRegex(told, r"weir\.yaml:7:17: .*certificates\[1\]\.cert: the certificate expired on 2020-02-01 00:00 UTC")
        self.assertRegex(told, r"weir\.yaml:9:17: .*: '/nowhere\.pem' can't be read: No such file")

    def test_certificates_change_with_a_reload_and_a_bad_one_changes_nothing(self):
        folder = self.folder()
        cert, key = os.path.join(folder, "c.pem"), os.path.join(folder, "c.key")

        def put(pair):
            shutil.copy(pair.cert, cert)
            shutil.copy(pair.key, key)

        first, second = (self.authority.issue("a.test", name=name) for name in ("first", "second"))
        put(first)
        listener = settings.listener(free_address(), tls={"certificates": [{"cert": cert, "key": key}]})
        weir = self.serving(listener)
        kept = self.tls(weir)
        self.assertIn("first", self.s_client(weir))
        shutil.copy(self.site.key, key)
        weir.reload(expect="failure")
        weir.says("the key isn't the one")
        self.assertIn("first", self.s_client(weir))
        put(second)
        weir.reload()
        self.assertRegex(self.s_client(weir), "subject=CN ?= ?second\n")
        self.assertEqual(200, kept.get().status)
        until = weir.metric(EXPIRY, listener=weir.address, certificate=cert)
        self.assertAlmostEqual(time.time() + 30 * 86400, until, delta=3600)

    def test_a_listener_turns_secure_with_a_reload(self):
        backend, bind = self.backend(), free_address()
        plain = settings.listener(bind)
        weir = self.in_front_of(backend, listeners=[plain])
        old = self.client(weir)
        self.assertEqual(200, old.get().status)
        usual = {"upstreams": {"api": settings.upstream(backend)}, "routes": [route("/", "api", "all")]}
        weir.reload({**usual, "listeners": [plain | {"tls": {"certificates": [self.site.yaml()]}}]})
        self.assertEqual(200, self.tls(weir).get().status)
        self.assertEqual(200, old.get().status)
        weir.reload({**usual, "listeners": [plain]})
        self.assertEqual(200, self.fetch(weir).status)

    def test_no_request_fails_while_certificates_change(self):
        weir = self.serving(workers=2)
        done, context = [], self.context()

        def ask():
            count = 0
            kept = TlsClient(weir.address, context)
            while not done:
                response = kept.get()
                with TlsClient(weir.address, context) as fresh:
                    assert fresh.get().status == 200
                assert response.status == 200, response
                if response.closes():
                    kept.close()
                    kept = TlsClient(weir.address, context)
                count += 1
            kept.close()
            return count

        clients = [self.in_background(ask) for _ in range(4)]
        for _ in range(5):
            weir.reload()
        done.append(True)
        self.assertTrue(all(client.result() for client in clients))
        self.assertEqual(0, weir.metric(FAILURES))


class Backends(TlsCase):
    def tls_backend(self, pair=None, ca=None, **how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain((pair or self.site).cert, (pair or self.site).key)
        if ca:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
        for name, value in how.items():
            setattr(context, name, value)
        return self._kept(TlsBackend(context))

    def over(self, backend, **tls):
        upstream = settings.upstream(backend) | {"tls": {"ca": self.authority.ca, **tls}}
        return {"upstreams": {"api": upstream}, "routes": [route("/", "api", "all")]}

    def test_a_backend_is_verified_by_its_address_and_its_connection_kept(self):
        backend = self.tls_backend()
        weir = self.weir(self.over(backend))
        client = self.client(weir)
        for _ in range(3):
            self.assertEqual(200, client.get().status)
        self.assertEqual(1, len(backend.connections))

    def test_large_bodies_both_ways(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                weir = self.weir(self.over(self.tls_backend(maximum_version=version)))
                body = pattern(10 << 20)
                account = self.fetch(weir, "POST", "/", body=body).json()
                self.assertEqual((len(body), digest(body)), (account["length"], account["digest"]))
                for kind in ("bytes", "chunked"):
                    self.assertEqual(digest(body), digest(self.fetch(weir, "GET", f"/{kind}/{len(body)}").body))

    def assert_bad_gateway(self, weir, error, detail):
        response = self.fetch(weir)
        self.assertEqual(502, response.status)
        self.assertRegex(response.get("proxy-status"), f"weir; error={error}; details=\".*{detail}")

    def test_a_backend_that_is_not_to_be_believed(self):
        named = self.authority.issue("b.test", name="b")
        old = self.authority.issue("127.0.0.1", name="expired", dates=EXPIRED)
        for what, backend, tls, detail in (
                ("authority", self.tls_backend(), {"ca": self.stranger.ca}, "unable to get local issuer certificate"),
                ("address", self.tls_backend(named), {}, "IP address mismatch"),
                ("name", self.tls_backend(), {"server_name": "other.test"}, "hostname mismatch"),
                ("time", self.tls_backend(old), {}, "certificate has expired")):
            with self.subTest(what):
                self.assert_bad_gateway(self.weir(self.over(backend, **tls)), "tls_certificate_error", detail)

    def test_a_backend_without_tls_or_with_other_versions(self):
        self.assert_bad_gateway(self.weir(self.over(self.scripted(lambda connection: connection.send(b"HTTP/1.1 400 No\r\n\r\n")))),
                                "tls_protocol_error", "the TLS handshake failed")
        mute = self.scripted(lambda connection: connection.wait_closed())
        config = self.over(mute)
        config["upstreams"]["api"] |= settings.upstream_timeouts(connect="50ms")
        response = self.fetch(self.weir(config))
        self.assertEqual(504, response.status)
        self.assertIn("connection_timeout", response.get("proxy-status"))

    def test_verification_is_off_only_when_it_says_so(self):
        backend = self.tls_backend(self.stranger.issue("nobody.test", name="nobody"))
        self.assertEqual(502, self.fetch(self.weir(self.over(backend))).status)
        self.assertEqual(200, self.fetch(self.weir(self.over(backend, verify="off"))).status)

    def test_a_server_name_is_asked_for_and_verified(self):
        asked = []
        backend = self.tls_backend(sni_callback=lambda sock, name, context: asked.append(name))
        self.assertEqual(200, self.fetch(self.weir(self.over(backend, server_name="a.test"))).status)
        self.assertEqual(200, self.fetch(self.weir(self.over(backend))).status)
        self.assertEqual(["a.test", None], asked)

    def test_a_name_with_a_dot_at_its_end_is_asked_for_and_verified_without_it(self):
        asked = []
        backend = self.tls_backend(sni_callback=lambda sock, name, context: asked.append(name))
        dns = self.dns()
        dns.put("a.test", "127.0.0.1")
        upstream = {"endpoints": [{"dns": f"a.test.:{backend.port}"}], "tls": {"ca": self.authority.ca}}
        weir = self.weir({**settings.resolver(dns.address), "upstreams": {"api": upstream}, "routes": [route("/", "api")]})
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(200, self.fetch(self.weir(self.over(backend, server_name="a.test."))).status)
        self.assertEqual(["a.test", "a.test"], asked)

    def test_our_certificate_is_shown(self):
        ours = self.authority.issue("weir.test", name="ours")
        backend = self.tls_backend(ca=self.authority.ca)
        self.assertEqual(502, self.fetch(self.weir(self.over(backend))).status)
        self.assertEqual(200, self.fetch(self.weir(self.over(backend, cert=ours.cert, key=ours.key))).status)
        self.assertIn((("commonName", "ours"),), backend.shaken[-1][1]["subject"])

    def test_new_connections_resume_the_session(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                backend = self.tls_backend(maximum_version=version)
                config = self.over(backend)
                config["upstreams"]["api"]["max_idle"] = 0
                weir = self.weir(config)
                for _ in range(4):
                    self.assertEqual(200, self.fetch(weir).status)
                self.assertEqual([False, True, True, True], [resumed for resumed, _ in backend.shaken])

    def test_what_was_spoken_otherwise_is_not_used_again(self):
        backend = self.tls_backend()
        weir = self.weir(self.over(backend))
        self.assertEqual(200, self.fetch(weir).status)
        weir.reload(self.over(backend))
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(1, len(backend.connections), "the same settings, the same connection")
        weir.reload(self.over(backend, server_name="a.test"))
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(2, len(backend.connections))

    def test_after_a_reload_that_verifies_no_unverified_connection_is_used(self):
        backend = self.tls_backend(self.stranger.issue("nobody.test", name="nobody"))
        weir = self.weir(self.over(backend, verify="off"))
        self.assertEqual(200, self.fetch(weir).status)
        self.assertEqual(1, len(backend.connections))
        weir.reload(self.over(backend))
        self.assert_bad_gateway(weir, "tls_certificate_error", "unable to get local issuer certificate")
        weir.reload(self.over(backend, verify="off"))
        self.assertEqual(200, self.fetch(weir).status)

    def test_tls_on_both_sides(self):
        weir = self.weir({**self.over(self.tls_backend()), "listeners": [self.secure()]})
        body = pattern(5 << 20)
        client = self.tls(weir)
        self.assertEqual(digest(body), client.request("PUT", "/", body=body).json()["digest"])
        self.assertEqual(digest(body), digest(client.get(f"/chunked/{len(body)}").body))

    def test_true_believes_the_machines_authorities(self):
        backend = self.tls_backend()
        upstream = settings.upstream(backend) | {"tls": True}
        weir = self.weir({"upstreams": {"api": upstream}, "routes": [route("/", "api", "all")]},
                         environment={"SSL_CERT_FILE": self.authority.ca})
        self.assertEqual(200, self.fetch(weir).status)
        self.assert_bad_gateway(self.weir({"upstreams": {"api": upstream}, "routes": [route("/", "api", "all")]}),
                                "tls_certificate_error", "unable to get local issuer certificate")


if __name__ == "__main__":
    unittest.main()
