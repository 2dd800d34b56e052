"""A real browser: a page of a hundred images over HTTP/2, and a WebSocket beside them."""

import json
import os
import shutil
import subprocess
import unittest
from urllib.parse import parse_qs, urlsplit

import tls
from backend import ScriptedBackend, reply_bytes
from harness import eventually
from websocket_peers import CLOSE, accept, frame, read_frame

CHROMIUM = shutil.which("chromium")
IMAGES = 100
IMAGE = b"""<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"><rect width="2" height="2"/></svg>"""
PAGE = """<!doctype html><title>waits</title><body><script>
const images = [...Array(%d).keys()].map(number => new Promise((loaded, failed) => {
  const image = new Image();
  [image.onload, image.onerror] = [() => loaded(image.width), failed];
  image.src = `/image/${number}.svg`;
  document.body.append(image);
}));
const echo = () => new Promise((heard, failed) => {
  const socket = new WebSocket(`wss://${location.host}/chat`, "echo");
  const text = "x".repeat(100000);
  socket.onopen = () => socket.send(text);
  socket.onmessage = message => socket.close(1000, message.data === text ? "same" : "other");
  socket.onclose = event => heard(`${event.code} ${event.reason} ${socket.protocol}`);
  socket.onerror = failed;
});
(async () => {
  let told;
  try {
    const widths = await Promise.all(images);
    const protocols = performance.getEntriesByType("resource").map(entry => entry.nextHopProtocol);
    told = {images: widths.filter(width => width === 2).length, protocols: [...new Set(protocols)], socket: await echo()};
  } catch (error) {
    told = {error: String(error.message || error.type || error)};
  }
  await fetch("/told?" + new URLSearchParams({what: JSON.stringify(told)}));
})();
</script>""" % IMAGES


class Site(ScriptedBackend):
    def __init__(self):
        self.told = []
        super().__init__(self._serve)

    def _serve(self, connection):
        while True:
            request = connection.request()
            path = urlsplit(request.target).path
            if path == "/chat":
                return self._echo(connection, request)
            if path == "/told":
                self.told.append(json.loads(parse_qs(urlsplit(request.target).query)["what"][0]))
            kind, body = ("image/svg+xml", IMAGE) if path.startswith("/image/") else ("text/html", PAGE.encode())
            connection.send(reply_bytes(fields=[("Content-Type", kind)], body=body))

    def _echo(self, connection, request):
        accept(connection, request, ("Sec-WebSocket-Protocol", "echo"))
        message = b""
        while True:
            come = read_frame(connection.stream)
            if come.opcode == CLOSE:
                connection.send(frame(come.payload, CLOSE))
                return connection.wait_closed()
            message += come.payload
            if come.final:
                connection.send(frame(message, 1))
                message = b""


@unittest.skipUnless(CHROMIUM, "there is no chromium here")
class Browser(tls.TlsCase):
    def browse(self, weir):
        folder = self.folder()
        log = open(os.path.join(folder, "log"), "wb")
        self.addCleanup(log.close)
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-extensions", "--disable-background-networking", "--ignore-certificate-errors",
                   "--remote-debugging-port=0", f"--user-data-dir={folder}/profile", f"https://{weir.address}/"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def test_a_page_of_a_hundred_images_and_a_web_socket(self):
        site = self._kept(Site())
        weir = self.serving(backend=site)
        self.browse(weir)
        eventually(lambda: site.told, "the page's account", patience=60)
        told = site.told[0]
        self.assertEqual({"images": IMAGES, "protocols": ["h2"], "socket": "1000 same echo"}, told)
        self.assertEqual({200}, {weir.log_of(f"/image/{number}.svg")[0].status for number in range(IMAGES)})
        self.assertEqual(101, weir.log_of("/chat")[0].status)
        self.assertEqual("HTTP/2", weir.log_of("/chat")[0]["proto"])


if __name__ == "__main__":
    unittest.main()
