"""The configuration that the generator puts Weir under, and its variants for reloads."""

import json
import random

import plan
from harness import free_address

FILTERS = {
    "plain": [],
    "tun": [],
    "retry": [{"retry": {"attempts": 3, "on": ["connect_failure", "refused_stream", "reset", "timeout", "503"],
                         "per_try_timeout": "700ms", "backoff": {"base": "1ms", "max": "20ms"}}}],
    "cache": [{"cache": {"name": "shared", "max_size": "8MiB", "max_object": "1MiB", "collapse": {"wait": "1s"}, "serve_stale": {"while_revalidate": "1s", "if_error": "5s"}}}],
    "hedge": [{"hedge": {"after": "30ms", "budget": {"ratio": "100%", "min": 1000, "concurrent": 100}}}],
    "fall": [{"fallback": {"to": [{"upstream": {"name": "h1"}}, {"respond": {"status": 503, "body": "fallen"}}]}}],
    "limit": [{"rate_limit": {"rate": "100000/second", "burst": 1000, "key": "client.ip"}},
              {"concurrency_limit": {"max": 20, "queue": {"max": 20, "timeout": "300ms"}}}],
    "all": ["request_id", {"rate_limit": {"rate": "100000/second", "burst": 1000}},
            {"fallback": {"to": [{"stale": {"within": "1m"}}, {"respond": {"status": 503, "body": "fallen"}}]}},
            {"cache": {"name": "all", "max_size": "8MiB", "max_object": "1MiB"}},
            {"hedge": {"after": "50ms", "budget": {"ratio": "100%", "min": 1000, "concurrent": 100}}},
            {"retry": {"attempts": 2, "on": ["reset", "timeout"], "backoff": {"base": "1ms", "max": "10ms"}}}],
    "web": ["grpc_web"],
}
PATIENT = {"connect": "10s", "response": "10s", "between_bytes": "10s", "idle": "1s"}
HURRIED = {"connect": "1s", "response": "1s", "between_bytes": "1s", "idle": "1s", "tunnel": "1s"}


class Places:
    """The addresses that stay over all reloads and restarts."""

    def __init__(self):
        self.listeners = {name: free_address() for name in ("plain", "tls", "extra")}
        self.admin = free_address()


def configuration(places, endpoints, certificate, log, variant=0):
    """`endpoints`: {upstream: its endpoints}. A variant has other workers, other listeners and fewer routes."""
    draw = random.Random(f"variant {variant}")
    has_extra = variant == 0 or draw.random() < 0.5
    has_tunnels = variant == 0 or draw.random() < 0.6
    names = ["plain", "tls", *(["extra"] if has_extra else [])]
    tls = {"certificates": [certificate.yaml()], "handshake_timeout": "1s"}
    return json.dumps({
        "workers": 2 if variant == 0 else draw.choice((1, 2, 3)),
        "listeners": [{"name": name, "bind": places.listeners[name]} | ({"tls": tls} if name == "tls" else {}) for name in names],
        "admin": {"bind": places.admin},
        "access_log": {"path": log},
        "timeouts": {"head": "2s", "idle": "800ms", "body": "2s", "write": "4s"},
        "stream_grace": "500ms",
        "shutdown": {"drain_timeout": "3s"},
        "limits": {"requests_per_connection": 0 if variant == 0 else draw.choice((0, 0, 3))},
        "upstreams": {name: upstream(name, of_it) for name, of_it in endpoints.items()},
        "routes": [{"match": {"path": "/probe"}, "respond": {"body": "ok"}}] + [
                   {"name": f"{name}-{filters}", "match": {"path": f"/{name}/{filters}/"}, "upstream": name, "filters": filters_of(name, filters),
                    "timeout": "15s" if name in plan.POLITE else "4s"}
                   for name in endpoints for filters in FILTERS
                   if (has_tunnels or filters != "tun") and (name in plan.HTTP2_UPSTREAMS or filters != "web")],
    }, indent=1)


def filters_of(name, filters):
    return [{"retry": {"attempts": 3}}] if name in plan.POLITE and filters == "retry" else FILTERS[filters]


def upstream(name, endpoints):
    block = {"endpoints": [endpoint.address for endpoint in endpoints], "protocol": "http2" if name in plan.HTTP2_UPSTREAMS else "http1",
             "timeouts": PATIENT if name in plan.POLITE else HURRIED, "circuit_breaker": None}
    if "s" in name:
        block["tls"] = {"verify": "off"}
    return {key: value for key, value in block.items() if value is not None}
