"""The command line: what each subcommand prints, and its exit code."""

import json
import os
import re
import signal
import subprocess
import time
import unittest

from certificates import Authority
from harness import WEIR, WeirCase, free_address
from settings import answers

FIVE_MISTAKES = """\
listeners:
  - bind: nowhere at all
    naem: front
upstreams:
  api:
    balance: round_robbin
    endpoints: [127.0.0.1:9001]
    timeouts: { connect: 5 parsecs }
routes:
  - match: { path: / }
    upstream: apy
"""
PLACES = {2: "nowhere", 3: "naem", 6: "round_robbin", 8: "5 parsecs", 11: "apy"}

SOUND = """\
listeners: [{ bind: 127.0.0.1:8080 }]
upstreams:
  api: { endpoints: [127.0.0.1:9001] }
filters:
  - request_id
routes:
  - name: other
    match: { host: other.example, path: / }
    respond: { status: 200 }
  - name: api
    match: { path: /v1 }
    rewrite: { prefix: /v2 }
    upstream: api
"""


def two_listeners(site, host=None, filters=(), **route):
    """A plain listener at port 8080 and one with TLS at 8443."""
    return json.dumps({
        "listeners": [{"name": "plain", "bind": "127.0.0.1:8080"},
                      {"name": "tls", "bind": "127.0.0.1:8443", "tls": {"certificates": [site.yaml()]}}],
        "upstreams": {"api": {"endpoints": ["127.0.0.1:9001"], **({"host": host} if host else {})}},
        "filters": list(filters),
        "routes": [{key: value for key, value in {"match": {"path": "/"}, "upstream": "api", **route}.items() if value}],
    })


class CommandLine(WeirCase):
    def run_weir(self, *arguments, timeout=30):
        return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=timeout, cwd=self.folder())

    def file(self, text):
        path = os.path.join(self.folder(), "weir.yaml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def check(self, text):
        done = self.run_weir("check", "-c", self.file(text))
        return done.returncode, done.stdout + done.stderr


class Check(CommandLine):
    def test_a_sound_file_passes(self):
        self.assertEqual(0, self.check(SOUND)[0])

    def test_five_mistakes_are_told_at_once_each_with_its_place(self):
        code, told = self.check(FIVE_MISTAKES)
        self.assertEqual(1, code)
        places = {int(line): int(column) for line, column in re.findall(r"^\S*weir\.yaml:(\d+):(\d+): ", told, re.MULTILINE)}
        lines = FIVE_MISTAKES.splitlines()
        self.assertEqual({number: lines[number - 1].index(word) + 1 for number, word in PLACES.items()}, places, told)
        for number in PLACES:
            self.assertIn(f"{number} | {lines[number - 1]}", told)
        self.assertEqual(5, len(re.findall(r"(?m)^\s*\|\s+\^+$", told)), told)
        self.assertIn("5 problems", told)

    def test_the_nearest_known_word_is_offered(self):
        told = self.check(FIVE_MISTAKES)[1]
        for word in ("name", "round_robin", "api"):
            self.assertIn(f"did you mean '{word}'", told)

    def test_the_caret_stands_below_the_mistake(self):
        told = self.check(SOUND.replace("endpoints:", "endpoint:"))[1].splitlines()
        at = 1 + next(number for number, line in enumerate(told) if "unknown setting" in line)
        self.assertEqual(told[at].index("endpoint:"), told[at + 1].index("^"))

    def test_a_syntax_error_is_told_alone(self):
        code, told = self.check(FIVE_MISTAKES.replace("listeners:", "listeners: ["))
        self.assertEqual(1, code)
        self.assertEqual(1, len(re.findall(r"weir\.yaml:\d+:\d+: ", told)), told)

    def test_run_tells_the_same_and_exits_1(self):
        done = self.run_weir("run", "-c", self.file(FIVE_MISTAKES))
        self.assertEqual(1, done.returncode)
        self.assertIn("5 problems", done.stderr + done.stdout)

    def test_duplicate_keys_are_mistakes(self):
        code, told = self.check(SOUND + "listeners: []\n")
        self.assertEqual(1, code)
        self.assertRegex(told, r"weir\.yaml:14:1")

    def test_a_regex_that_does_not_compile_is_a_mistake_at_its_place(self):
        code, told = self.check(SOUND.replace("path: /v1", "path: { regex: '(' }"))
        self.assertEqual(1, code)
        self.assertRegex(told, r"weir\.yaml:11:\d+")

    def test_the_environment_is_filled_in(self):
        self.assertEqual(0, self.check(SOUND.replace("127.0.0.1:9001", '"${NO_SUCH:-127.0.0.1:9001}"'))[0])
        self.assertEqual(1, self.check(SOUND.replace("127.0.0.1:9001", '"${NO_SUCH}"'))[0])

    def test_merge_keys_work(self):
        merged = SOUND.replace("api: { endpoints: [127.0.0.1:9001] }",
                               "one: &one { endpoints: [127.0.0.1:9001] }\n  api: { <<: *one, balance: random_two }")
        self.assertEqual(0, self.check(merged)[0])

    def test_millions_of_nested_lists_cost_little_memory(self):
        path = self.file("a: " + "[" * 3_900_000)
        process = subprocess.Popen([WEIR, "check", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(process.stdout.close)
        told = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(1, process.returncode)
        self.assertIn("nested more than 64 deep", told)
        self.assertLess(usage.ru_maxrss, 400 * 1024)


class Machine(CommandLine):
    """What a start by this user on this machine needs."""

    def check_both(self, text):
        """What `check` and `check --here` say."""
        path = self.file(text)
        plain, here = self.run_weir("check", "-c", path), self.run_weir("check", "--here", "-c", path)
        self.assertEqual((0, 1), (plain.returncode, here.returncode), plain.stderr + here.stderr)
        self.assertIn("warning", plain.stderr)
        return plain.stderr, here.stderr

    def test_a_log_that_a_start_could_not_open_is_told(self):
        for path, why in (("/nonexistent/x/access.log", "No such file or directory"), ("/proc", "Is a directory"),
                          ("/dev/null/access.log", "Not a directory")):
            with self.subTest(path):
                text = SOUND + f"access_log: {{ path: {path} }}\n"
                for told in self.check_both(text):
                    self.assertIn(f"'{path}' can't be opened: {why}", told)
                started = self.run_weir("run", "-c", self.file(text))
                self.assertEqual(1, started.returncode)
                self.assertIn("can't be opened", started.stderr)
                self.assertIn("1 problem; weir was not started\n", started.stderr)

    def test_a_log_that_a_start_can_open_is_no_problem(self):
        log = os.path.join(self.folder(), "access.log")
        for path in (log, "stdout", "off"):
            self.assertEqual((0, 0), tuple(self.run_weir("check", *here, "-c", self.file(SOUND + f"access_log: {{ path: {path} }}\n")).returncode
                                           for here in ([], ["--here"])))
        self.assertFalse(os.path.exists(log))

    def test_a_user_that_this_machine_lacks_is_told(self):
        for told in self.check_both(SOUND + "user: nosuchuser\n"):
            self.assertIn("there is no user 'nosuchuser' on this machine", told)

    def test_a_file_without_routes_is_a_warning(self):
        code, told = self.check("listeners: [127.0.0.1:8080]\n")
        self.assertEqual(0, code)
        self.assertIn("there is no route: every request is answered with 404", told)
        self.assertNotIn("no route", self.check(SOUND)[1])

    def test_check_changes_nothing_and_does_not_say_so(self):
        self.assertTrue(self.check(FIVE_MISTAKES)[1].endswith("weir.yaml: 5 problems\n"))


class Usage(CommandLine):
    def test_each_mistake_on_the_command_line_is_told_in_one_line(self):
        for arguments, told in ((["chekc"], "unknown command 'chekc'; did you mean 'check'?"),
                                (["drain", "api"], "drain: ENDPOINT is required; weir drain --help tells the usage"),
                                (["status", "dead"], "status: The following argument was not expected: dead; "),
                                (["check", "--format", "xml"], "check: --format: xml not in ")):
            with self.subTest(arguments):
                done = self.run_weir(*arguments)
                self.assertEqual(2, done.returncode)
                self.assertTrue(done.stderr.startswith("weir: " + told), done.stderr)
                self.assertEqual(1, done.stderr.count("\n"))


class Secrets(CommandLine):
    """What check prints goes to logs of builds."""

    def check_in(self, text, **environment):
        done = subprocess.run([WEIR, "check", "-c", self.file(text)], capture_output=True, text=True, timeout=30,
                              env={**os.environ, **environment})
        return done.stdout + done.stderr

    def test_the_password_of_a_redis_url_is_not_told(self):
        for store in ("redis://user:hunter2@h:x", "redis://user:hunter2", "redis:/u:hunter2@h", "redis://u:hun/hunter2@h",
                      "{ redis: 'redis://u:hunter2@h:6379', timeout: 5 parsecs }", "rediss://u:hunter2@h",
                      "[ redis://u:hunter2@a, redis://u:hunter2@b ]", "redis://u:hunter2@h: x"):
            with self.subTest(store):
                for told in (self.check_in(f"store: {store}\n" + SOUND),
                             self.run_weir("check", "--format=json", self.file(f"store: {store}\n" + SOUND)).stdout):
                    self.assertIn("weir.yaml", told)
                    self.assertNotIn("hunter2", told)

    def test_values_of_the_environment_and_of_telling_fields_are_not_told(self):
        for text in (SOUND.replace("127.0.0.1:9001", '"${HIDDEN}"'), "workers: ${HIDDEN}\n" + SOUND,
                     SOUND.replace("upstream: api", "upstream: '${HIDDEN}'"),
                     SOUND.replace("- request_id", "- headers: { request: { set: { x-api-key: \"s3cr3t{\" } } }"),
                     SOUND.replace("- request_id", "- headers: { request: { set: { cookie: s3cr3t, x: \"{\" } } }"),
                     SOUND.replace("path: /v1", "path: /v1, headers: { authorization: { regex: '(s3cr3t' } }")):
            with self.subTest(text):
                told = self.check_in(text, HIDDEN="s3cr3t")
                self.assertIn("problem", told)
                self.assertNotIn("s3cr3t", told)

    def test_explain_masks_what_is_sent(self):
        text = SOUND.replace("- request_id", "- headers: { request: { set: { authorization: s3cr3t, x-user: ann } } }")
        told = self.run_weir("explain", "-c", self.file(text), "GET", "http://a/v1", "-H", "X-Api-Key: s3cr3t").stdout
        self.assertIn("x-user: ann", told)
        self.assertNotIn("s3cr3t", told)


class ExitCodes(CommandLine):
    def test_a_missing_file_is_1_and_named(self):
        done = self.run_weir("check", "-c", "/nowhere/weir.yaml")
        self.assertEqual(1, done.returncode)
        self.assertIn("/nowhere/weir.yaml", done.stderr + done.stdout)

    def test_wrong_usage_is_2(self):
        for arguments in (["fly"], ["check", "--no-such"], []):
            with self.subTest(arguments):
                self.assertEqual(2, self.run_weir(*arguments).returncode)

    def test_an_unknown_command_is_named(self):
        done = self.run_weir("reloda", "-c", "/nowhere")
        self.assertEqual(2, done.returncode)
        self.assertIn("unknown command 'reloda'; did you mean 'reload'? commands are: run, check, ", done.stderr)

    def test_help_is_0(self):
        done = self.run_weir("--help")
        self.assertEqual(0, done.returncode)
        for word in ("run", "check", "explain", "reload", "status", "schema", "healthcheck", "version"):
            self.assertIn(word, done.stdout)

    def test_version(self):
        for word in ("version", "--version"):
            done = self.run_weir(word)
            self.assertEqual(0, done.returncode)
            self.assertRegex(done.stdout, r"^weir \d+\.\d+\.\d+\n$")


class Explain(CommandLine):
    def explain(self, *arguments):
        done = self.run_weir("explain", "-c", self.file(SOUND), *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def test_the_route_the_reasons_the_filters_and_what_is_sent(self):
        told = self.explain("GET", "http://api.example/v1/users?x=1", "-H", "X: y")
        self.assertRegex(told, r"(?s)other.*host.*api")
        self.assertIn("request_id", told)
        self.assertIn("/v2/users?x=1", told)

    def test_all_that_is_told_of_the_client_is_shown(self):
        told = self.explain("GET", "http://api.example/v1/users", "--client", "10.1.2.3")
        self.assertIn("X-Forwarded-For: 10.1.2.3\n", told)
        self.assertIn("X-Forwarded-Port: 8080\n", told)

    def site(self):
        return Authority(self.folder()).issue("a.example")

    def explained(self, text, *arguments):
        """The lines by their first word; further ones of the same word follow, separated by a newline."""
        done = self.run_weir("explain", "-c", self.file(text), *arguments)
        self.assertEqual(0, done.returncode, done.stderr)
        lines, word = {}, ""
        for line in done.stdout.splitlines():
            word = line[:11].strip() or word
            lines[word] = f"{lines[word]}\n{line[11:]}" if word in lines else line[11:]
        return lines

    def test_every_kind_of_filter_is_shown_with_its_place_and_what_it_does(self):
        filters = ["request_id", "circuit_breaker", "retry", {"rate_limit": {"rate": "5/s"}},
                   {"concurrency_limit": {"max": 5}}, "grpc_web", "cache"]
        told = self.explained(two_listeners(self.site(), filters=filters), "GET", "http://a.example/")
        self.assertRegex(told["filter"], r"(?s)^1 request_id: .+\n2 circuit_breaker: .+\n7 cache: .+RFC 9111")
        self.assertIn("Host: a.example", told["sends"])

    def test_how_the_listener_was_chosen(self):
        text = two_listeners(self.site())
        for url, name, proto in (("https://a.example:8443/", "tls (port 8443)", "https"),
                                 ("https://a.example/", "tls (the URL names no port; the first for https)", "https"),
                                 ("http://a.example/", "plain (the URL names no port; the first for http)", "http"),
                                 ("http://a.example:8443/", "tls (port 8443; TLS, so the scheme is https)", "https"),
                                 ("http://a.example:99/", "plain (no listener has port 99; the first for http)", "http"),
                                 ("/", "plain (the URL names no port; the first)", "http")):
            with self.subTest(url):
                told = self.explained(text, "GET", url)
                self.assertEqual(name, told["listener"])
                self.assertIn(f"X-Forwarded-Proto: {proto}\n", told["sends"])

    def test_that_no_listener_is_for_the_scheme(self):
        told = self.explain("GET", "https://api.example/v1")
        self.assertIn("(the URL names no port; none is for https; the first)", told)

    def test_what_is_no_request_is_refused_with_what_to_write(self):
        for words, hint in ((("GET", "api.example/v1"), "write a URL (http://HOST/PATH) or a path"),
                            (("get", "http://api.example/v1"), "methods are written in capitals")):
            done = self.run_weir("explain", "-c", self.file(SOUND), *words)
            self.assertEqual(1, done.returncode)
            self.assertIn(hint, done.stdout)

    def test_the_host_that_an_endpoint_gets(self):
        for host, sent in (("endpoint", "127.0.0.1:9001"), ("b.example", "b.example"), (None, "a.example")):
            with self.subTest(host):
                told = self.explained(two_listeners(self.site(), host=host), "GET", "http://a.example/")
                self.assertIn(f"Host: {sent}\n", told["sends"])
        told = self.explained(two_listeners(self.site(), rewrite={"host": "c.example"}), "GET", "http://a.example/")
        self.assertIn("Host: c.example\n", told["sends"])

    def test_where_a_redirect_leads(self):
        told = self.explained(two_listeners(self.site(), upstream=None, redirect={"to": "https://{host}/b{path_and_query}"}), "GET",
                              "http://a.example/x?y=1")
        self.assertRegex(told["answer"], r"^30\d\nLocation: https://a.example/b/x\?y=1$")

    def test_why_a_rewrite_fails(self):
        told = self.explained(two_listeners(self.site(), rewrite={"regex": "^/x(.*)", "to": "\\1"}), "GET", "http://a.example/x1")
        self.assertRegex(told["answer"], r"^500 \w+: .*'1'.*no path")

    def test_no_route_is_told(self):
        self.assertRegex(self.explain("GET", "http://api.example/v9"), r"(?i)no route|404")


class Schema(CommandLine):
    def test_it_is_a_json_schema_that_knows_our_words(self):
        done = self.run_weir("schema")
        schema = json.loads(done.stdout)
        self.assertIn("json-schema.org", schema["$schema"])
        self.assertTrue({"listeners", "upstreams", "routes", "filters", "admin"} <= schema["properties"].keys())
        for word in ("request_id", "headers", "least_connections"):
            self.assertIn(f'"{word}"', done.stdout)

    def test_every_reference_in_it_resolves(self):
        schema = json.loads(self.run_weir("schema").stdout)
        references = re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(schema))
        self.assertTrue(references)
        for reference in references:
            node = schema
            for step in reference.split("/"):
                node = node[step]
            self.assertIsInstance(node, dict, reference)


class Running(CommandLine):
    """Subcommands that speak to a running Weir."""

    def setUp(self):
        self.api = self.backend()
        self.running = self.in_front_of(self.api)

    def tell(self, command):
        return self.run_weir(command, "-c", self.running.file)

    def test_healthcheck_is_0_while_it_serves(self):
        self.assertEqual(0, self.tell("healthcheck").returncode)
        self.running.stop()

    def test_healthcheck_is_1_when_nobody_answers(self):
        path = self.file(f"admin: {{ bind: {free_address()} }}\n" + SOUND)
        self.assertEqual(1, self.run_weir("healthcheck", "-c", path).returncode)

    def test_status_is_a_table_of_the_endpoints(self):
        done = self.tell("status")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(self.api.address, done.stdout)

    def test_reload_reloads_and_says_how_it_went(self):
        self.running.configure({"routes": [answers(200, "new")]})
        self.assertEqual(0, self.tell("reload").returncode)
        self.assertEqual(b"new", bytes(self.fetch(self.running).body))

    def test_a_reload_that_fails_shows_the_problems_as_check_does(self):
        self.running.configure({"routes": [{"respnd": 404}]})
        done = self.tell("reload")
        self.assertEqual(1, done.returncode)
        self.assertIn("unknown setting 'respnd'\n", done.stderr)
        self.assertIn("  = did you mean 'respond'?", done.stderr)

    def broken(self):
        """The served file, whose last line is no YAML any more."""
        with open(self.running.file) as file:
            rest = {key: value for key, value in json.load(file).items() if key != "admin"}
        with open(self.running.file, "w") as file:
            file.write(f"admin:\n  bind: {self.running.admin}\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in rest.items()) + "x: [\n")

    def test_a_file_that_is_no_yaml_still_leads_to_the_process(self):
        self.broken()
        for command in (["status"], ["status", "--why"], ["config"], ["healthcheck"]):
            done = self.run_weir(*command, "-c", self.running.file)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertRegex(done.stderr, r"^weir: \S+:\d+:\d+: not YAML: .*; the address \S+ is that of its admin: section\n$")

    def test_a_reload_of_a_file_that_is_no_yaml_reaches_the_process(self):
        before = self.running.reloads()
        self.broken()
        done = self.tell("reload")
        self.assertEqual(1, done.returncode)
        self.assertIn("not YAML", done.stderr)
        self.assertTrue(done.stderr.endswith("1 problem; nothing was changed\n"), done.stderr)
        self.assertNotEqual(before, self.running.reloads())
        self.assertEqual("degraded", self.fetch(self.running.admin, target="/readyz").json()["status"])
        self.assertEqual(200, self.fetch(self.running).status)

    def test_without_a_readable_admin_section_the_way_to_the_process_is_told(self):
        with open(self.running.file, "w") as file:
            file.write("admin: { bind: [\n")
        for command in (["status"], ["status", "--why"], ["reload"], ["config"], ["drain", "api", self.api.address]):
            done = self.run_weir(*command, "-c", self.running.file)
            self.assertEqual(1, done.returncode)
            self.assertIn("the running process was not asked, and serves what it served before", done.stderr)
            self.assertIn("--admin ADDRESS", done.stderr)
        self.assertEqual(0, self.run_weir("status", "--admin", self.running.admin).returncode)

    def test_a_drain_says_what_became_of_the_endpoint(self):
        done = self.run_weir("drain", "api", self.api.address, "-c", self.running.file)
        self.assertEqual(f"endpoint {self.api.address} of upstream api is draining; 0 requests in flight\n"
                         "upstream api has no endpoint left: its requests are answered with 503\n", done.stdout)
        done = self.run_weir("up", "api", self.api.address, "-c", self.running.file)
        self.assertEqual(f"endpoint {self.api.address} of upstream api is up; 0 requests in flight\n", done.stdout)

    def test_a_drain_of_an_unknown_name_says_which(self):
        done = self.run_weir("drain", "apii", self.api.address, "-c", self.running.file)
        self.assertEqual((1, "weir: no upstream is named 'apii'; did you mean 'api'? upstreams: api\n"), (done.returncode, done.stderr))
        done = self.run_weir("drain", "api", "1.2.3.4:5", "-c", self.running.file)
        self.assertIn(f"upstream 'api' has no endpoint '1.2.3.4:5'; ", done.stderr)
        self.assertIn(f"endpoints: {self.api.address}\n", done.stderr)

    def test_a_reload_of_another_file_than_the_served_one_is_refused(self):
        before = self.running.reloads()
        with open(self.running.file) as file:
            other = self.file(json.dumps({**json.load(file), "routes": [answers(200, "other")]}))
        done = self.run_weir("reload", "-c", other)
        self.assertEqual(1, done.returncode)
        self.assertIn(f"this process serves {os.path.realpath(self.running.file)}, not {other}; nothing was changed\n", done.stderr)
        self.assertEqual(before, self.running.reloads())
        link = os.path.join(self.folder(), "link.yaml")
        os.symlink(self.running.file, link)
        self.assertEqual(0, self.run_weir("reload", "-c", link).returncode)
        self.assertEqual(0, self.run_weir("reload", "--admin", self.running.admin).returncode)

    def test_an_endpoint_is_drained_and_brought_up_again(self):
        for verb, health, status in (("drain", "draining", 503), ("up", "up", 200)):
            done = self.run_weir(verb, "api", self.api.address, "-c", self.running.file)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertIn(f"endpoint {self.api.address} of upstream api is {health};", done.stdout)
            self.assertRegex(self.tell("status").stdout, rf"{self.api.address} +{health} ")
            self.assertEqual(status, self.fetch(self.running).status)
        done = self.run_weir("drain", "api", "10.0.0.1:1", "-c", self.running.file)
        self.assertEqual(1, done.returncode)
        self.assertIn("upstream 'api' has no endpoint '10.0.0.1:1'", done.stderr)

    def test_signals_that_mean_nothing_do_nothing(self):
        for number in (signal.SIGPIPE, signal.SIGWINCH):
            self.running.signal(number)
        self.assertEqual(200, self.fetch(self.running).status)


class BrokenAnswers(CommandLine):
    """An admin API that breaks off, or says nothing."""

    def ask(self, answer, command="config"):
        def script(connection):
            connection.request_head()
            connection.send(answer)
            connection.close()
        return self.run_weir(command, "--admin", str(self.scripted(script)))

    def test_an_answer_that_breaks_off_is_an_error(self):
        done = self.ask(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 17)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("the answer broke off after 17 of 5000 bytes", done.stderr)
        for command in ("reload", "status", "healthcheck"):
            with self.subTest(command):
                done = self.ask(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", command)
                self.assertEqual(1, done.returncode)
                self.assertIn("broke off after 2 of 5000", done.stderr)

    def test_an_answer_without_a_length_is_an_error(self):
        done = self.ask(b"HTTP/1.1 200 OK\r\n\r\n{}")
        self.assertEqual(1, done.returncode)
        self.assertIn("no length", done.stderr)

    def test_one_deadline_covers_the_whole_exchange(self):
        def drip(connection):
            connection.request_head()
            try:
                while True:
                    connection.send(b"x")
                    connection.backend.stopping.wait(1)
            except OSError:
                pass
        begun = time.monotonic()
        done = self.run_weir("config", "--admin", str(self.scripted(drip)), timeout=120)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, r"didn't answer within 30 s: \d+ bytes came")
        self.assertLess(29, time.monotonic() - begun)


if __name__ == "__main__":
    unittest.main()
