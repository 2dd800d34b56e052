"""The words of the configuration, the metrics and the access log, in one place.

A suite never spells a setting that could be renamed: it calls a function here. `None` leaves a setting out.
"""


def _named(names, values):
    return {names[word]: value for word, value in values.items() if value is not None}


def merged(*blocks):
    whole = {}
    for block in blocks:
        for key, value in block.items():
            both = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = merged(whole[key], value) if both else value
    return whole


# --- the client's side ---------------------------------------------------------------------------------------------

def listener(bind, name=None, **more):
    return _named({"bind": "bind", "name": "name"}, {"bind": bind, "name": name}) | more


def proxy_protocol_from(*trusted, **values):
    """A listener's: its connections begin with a PROXY header from these networks."""
    return {"proxy_protocol": {"trusted": list(trusted)} | _named({"timeout": "timeout"}, values)}


def client_limits(**values):
    names = {
        "request_line": "request_line",
        "head": "head",
        "headers": "headers",
        "body": "body",
        "requests_per_connection": "requests_per_connection",
        "connections": "connections",
        "connections_per_client": "connections_per_client",
        "body_rate": "body_rate",
    }
    return {"limits": _named(names, values)}


def client_timeouts(**values):
    return {"timeouts": _named({"head": "head", "idle": "idle", "body": "body"}, values)}


def forwarded(**values):
    return {"forwarded": _named({"style": "style", "trusted_proxies": "trusted_proxies"}, values)}


def path_policy(**values):
    names = {"merge_slashes": "merge_slashes", "encoded_slash": "encoded_slash"}
    return {"path": _named(names, values)}


def shutdown(**values):
    return {"shutdown": _named({"delay": "delay", "drain_timeout": "drain_timeout"}, values)}


DROPPED_ACCESS = "weir_access_log_dropped_lines_total"
DROPPED_PROCESS = "weir_process_log_dropped_lines_total"


def access_log(path, format="json"):
    return {"access_log": {"path": path, "format": format}}


def resolver(*servers):
    return {"resolver": {"servers": list(servers)}}


# --- upstreams -----------------------------------------------------------------------------------------------------

def endpoint(address, **values):
    names = {"weight": "weight", "backup": "backup", "max_requests": "max_requests", "max_connections": "max_connections"}
    return {"address": str(address)} | _named(names, values)


def dns_endpoint(name, records=None, **more):
    """`name:port`, whose addresses come from A, or from `records`: "AAAA", "any"."""
    return {"dns": name} | ({"type": records} if records else {}) | more


def srv_endpoint(name):
    """`_service._tcp.name`, whose hosts, ports and weights come from SRV."""
    return {"dns": name, "type": "SRV"}


def upstream(*endpoints, **values):
    names = {"balance": "balance", "timeouts": "timeouts", "host": "host", "queue": "queue", "slow_start": "slow_start",
             "proxy_protocol": "proxy_protocol", "circuit_breaker": "circuit_breaker"}
    ready = [entry if isinstance(entry, dict) else str(entry) for entry in endpoints]
    return {"endpoints": ready} | _named(names, values)


def upstream_timeouts(**values):
    names = {"connect": "connect", "response": "response", "read": "between_bytes", "total": "request", "idle": "idle"}
    return {"timeouts": _named(names, values)}


def queue(size, timeout):
    return {"queue": {"size": size, "timeout": timeout}}


def circuit_breaker(**values):
    """The block of an upstream, and of a route's filter."""
    names = {"min_requests": "min_requests", "open": "open", "max_open": "max_open", "half_open_requests": "half_open_requests",
             "half_open_successes": "half_open_successes", "window": "window", "slow": "slow", "scope": "scope",
             "failure_ratio": "failure_ratio", "name": "name", "shared": "shared", "statuses": "statuses"}
    return {"circuit_breaker": _named(names, values)}


def host_set(name):
    """`name`, or "endpoint" for the endpoint's own, instead of the client's Host."""
    return {"host": name}


def proxy_protocol_to(version):
    """An upstream's: "v1" or "v2" headers are sent."""
    return {"proxy_protocol": version}


def hashed(key, bounded_load=None):
    return {"hash": _named({"key": "key", "bound": "bounded_load"}, {"key": key, "bound": bounded_load})}


def maglev(key):
    return {"maglev": key}


# --- routes --------------------------------------------------------------------------------------------------------

def route(match=None, upstream=None, name=None, **more):
    if isinstance(match, str):
        match = {"path": match}
    return _named({"name": "name", "match": "match", "upstream": "upstream"},
                  {"name": name, "match": match or {"path": "/"}, "upstream": upstream}) | more


def exact(text):
    return {"exact": text}


def regex(pattern):
    return {"regex": pattern}


def answers(status, body="", headers=None, match=None, name=None):
    block = {"status": status, "body": body}
    return route(match, name=name, respond=block | ({"headers": headers} if headers else {}))


def rewrite_prefix(prefix):
    return {"rewrite": {"prefix": prefix}}


def rewrite_regex(pattern, replacement):
    return {"rewrite": {"regex": pattern, "to": replacement}}


def rewrite_host(host):
    return {"rewrite": {"host": host}}


def redirect(to, status=None):
    return {"redirect": _named({"to": "to", "status": "status"}, {"to": to, "status": status})}


def split(weights, sticky=None):
    """`weights`: {upstream: share}. `sticky`: a key expression that pins a client to one side."""
    return {"split": {"weights": weights, "key": sticky} if sticky else weights}


def headers_filter(request=None, response=None):
    return {"headers": _named({"request": "request", "response": "response"}, {"request": request, "response": response})}


def retry(**values):
    """attempts, on, methods, non_idempotent, idempotency_key, per_try_timeout, backoff, retry_after_max, body, budget"""
    return {"retry": values}


def ample(**values):
    """A budget that bounds nothing in a test."""
    return {"budget": {"ratio": "100%", "min": 10000, "concurrent": 1000}} | values


def hedge(after, **values):
    return {"hedge": {"after": after} | values}


def fallback(*steps, **values):
    return {"fallback": {"to": list(steps)} | values}


def to_stale(within, **values):
    return {"stale": {"within": within} | values}


def to_upstream(name, **values):
    return {"upstream": {"name": name} | values}


def to_text(status, body="", **values):
    return {"respond": {"status": status, "body": body} | values}


def rate_limit(rate=None, **values):
    return {"rate_limit": _named({"rate": "rate"}, {"rate": rate}) | values}


def concurrency_limit(most, **values):
    return {"concurrency_limit": {"max": most} | values}


# --- what is observed ----------------------------------------------------------------------------------------------

REQUESTS = "weir_requests_total"                    # listener, route, code
REQUEST_SECONDS = "weir_request_duration_seconds"
UPSTREAM_SECONDS = "weir_upstream_request_duration_seconds"
RELOADS = "weir_reloads_total"                      # result="success|failure"
CONNECTIONS = "weir_connections_open"          # listener
IN_FLIGHT = "weir_requests_in_flight"
ENDPOINT_UP = "weir_endpoint_up"                    # upstream, endpoint
REFUSED_CONNECTIONS = "weir_connections_refused_total"  # reason
RETRIES = "weir_retries_total"                      # route, upstream, outcome
RETRIES_REFUSED = "weir_retries_refused_total"      # route, upstream, reason
RETRIES_IN_FLIGHT = "weir_retries_in_flight"
HEDGES = "weir_hedges_total"                        # route, outcome
FALLBACK = "x-weir-fallback"
DEGRADED = "weir-degraded"
FALLBACKS = "weir_fallbacks_total"                  # route, step, cause
ENDPOINT_ACTIVE = "weir_endpoint_active_requests"
ENDPOINT_FAILURES = "weir_endpoint_failures_total"
ATTEMPTS = "weir_upstream_requests_total"           # upstream, code
FAILURES = "weir_failures_total"                    # reason: requests that Weir itself answered with an error

BREAKER_STATE = "weir_circuit_breaker_state"        # upstream, endpoint or route; state
BREAKER_REJECTED = "weir_circuit_breaker_rejected_total"
BREAKER_CHANGES = "weir_circuit_breaker_transitions_total"  # from, to
RATE_DECISIONS = "weir_rate_limit_decisions_total"  # route, limiter, decision
CONCURRENT = "weir_concurrency_limit_in_flight"     # route, limiter
CONCURRENT_QUEUED = "weir_concurrency_limit_queued"
CONCURRENT_REFUSED = "weir_concurrency_limit_refused_total"  # reason

ROUTE_LABEL, CODE_LABEL, RESULT_LABEL = "route", "code", "result"

LOG_METHOD, LOG_PATH, LOG_STATUS, LOG_FLAGS = "method", "path", "status", "flags"
LOG_REQUEST_ID, LOG_ROUTE, LOG_CLIENT = "request_id", "route", "client"
NO_STATUS_SENT = 499                                # logged when the client left before any response

REQUEST_ID_FIELD = "x-request-id"
PSEUDONYM = "weir"                                  # ours in CDN-Loop


def code_class(status):
    """How the `code` label of REQUESTS writes a status."""
    return f"{status // 100}xx"
