"""Authorities and certificates, by the openssl command line."""

import os
import subprocess

CA_CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
EXPIRED = ("20200101000000Z", "20200201000000Z")


def openssl(*arguments, **how):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30, **how)


class Pair:
    """A certificate's file and its key's."""

    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    def yaml(self, **more):
        return {"cert": self.cert, "key": self.key} | more


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.ca, self._key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.ca)
        self._write("ca.cnf", CA_CONFIG.format(folder=self.folder))
        self._write("index", "")
        self._write("serial", "1000\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def revoke(self, pair):
        openssl("ca", "-batch", "-config", self.path("ca.cnf"), "-cert", self.ca, "-keyfile", self._key, "-revoke", pair.cert)

    def _write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def issue(self, *names, name=None, kind="ec", dates=None):
        """A certificate for these DNS names and addresses. `name`: its subject and its files'."""
        name = name or names[0].replace("*", "any")
        pair = Pair(self.path(name + ".pem"), self.path(name + ".key"))
        key = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        wanted = ",".join(("IP:" if one.replace(".", "").isdigit() else "DNS:") + one for one in names)
        more = ["-addext", f"subjectAltName={wanted}"] if wanted else []
        request = self.path(name + ".csr")
        openssl("req", *key, "-nodes", "-subj", f"/CN={name}", *more, "-keyout", pair.key, "-out", request)
        when = ["-startdate", dates[0], "-enddate", dates[1]] if dates else ["-days", "30"]
        openssl("ca", "-batch", "-notext", "-config", self.path("ca.cnf"), "-cert", self.ca, "-keyfile", self._key, *when,
                "-in", request, "-out", pair.cert)
        return pair
