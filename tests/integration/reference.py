"""The documents that could drift: config/REFERENCE.md is what the binary prints, and the README's YAML is sound."""

import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest

from harness import REPORT, WEIR, WeirCase

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MARK = "<!-- settings -->\n"                        # what stands above it in REFERENCE.md is written by hand
WHOLE = "# weir.yaml\n"                             # the first line of a snippet that is a whole configuration
USUAL = {                                           # what a fragment is completed with
    "listeners": "listeners: [127.0.0.1:8080]\n",
    "upstreams": "upstreams: { api: { endpoints: [127.0.0.1:9001] }, canary: { endpoints: [127.0.0.1:9002] } }\n",
}


def text_of(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def snippets(document):
    """Each YAML block of a document, with the number of its first line."""
    for block in re.finditer(r"^```yaml\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        yield document[:block.start(1)].count("\n") + 1, block[1]


def preparations(document):
    """The commands of the README that make certificates, up to each recipe's YAML."""
    for block in re.finditer(r"(?:^    .*\n)+", document, re.MULTILINE):
        commands = textwrap.dedent(block[0])
        if commands.startswith("mkdir -p certs"):
            yield commands


def completed(snippet):
    if snippet.startswith(WHOLE):
        return snippet
    return snippet + "".join(text for key, text in USUAL.items() if not re.search(rf"^{key}:", snippet, re.MULTILINE))


class Reference(WeirCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="weir-test-")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)
        for commands in preparations(text_of("README.md")):
            subprocess.run(["bash", "-ec", commands], cwd=cls.home, check=True, capture_output=True, timeout=30)

    def weir_prints(self, *arguments):
        return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=30)

    def check(self, text):
        self.path = os.path.join(self.home, "weir.yaml")
        with open(self.path, "w") as file:
            file.write(text)
        return self.weir_prints("check", self.path)

    def explain(self, text):
        """A request for each path that the text names, to the file that was checked."""
        for path in {"/", *re.findall(r"\bpath: (/[^\s,}]*)", text)}:
            told = self.weir_prints("explain", "-c", self.path, "GET", f"http://api.example{path}")
            self.assertEqual(0, told.returncode, path + told.stdout + told.stderr)
            self.assertNotRegex(told.stderr, REPORT)
            self.assertRegex(told.stdout, r"(?m)^(sends|answer) ")

    def test_the_reference_is_what_the_binary_prints(self):
        printed = self.weir_prints("schema", "--reference")
        self.assertEqual(0, printed.returncode, printed.stderr)
        self.assertEqual(printed.stdout, text_of("config", "REFERENCE.md").split(MARK)[1], "its first line says how to write it anew")

    def test_each_yaml_snippet_of_the_readme_is_sound(self):
        found = list(snippets(text_of("README.md")))
        self.assertTrue(any(snippet.startswith(WHOLE) for _, snippet in found))
        for line, snippet in found:
            with self.subTest(f"README.md:{line}"):
                checked = self.check(completed(snippet))
                self.assertEqual(0, checked.returncode, checked.stderr)
                self.explain(snippet)

    def test_the_examples_are_sound(self):
        for name in sorted(os.listdir(os.path.join(ROOT, "config"))):
            if not name.endswith(".yaml"):
                continue
            with self.subTest(name):
                text = text_of("config", name)
                checked = self.check(text)
                self.assertEqual(0, checked.returncode, checked.stderr)
                self.explain(text)


if __name__ == "__main__":
    unittest.main()
