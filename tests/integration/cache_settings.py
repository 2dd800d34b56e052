"""The words of the response cache: its settings, what it says of itself, and the orders to forget, in one place.

As in settings.py, a suite never spells what could be renamed.
"""


def _named(names, values):
    return {names[word]: value for word, value in values.items() if value is not None}


# --- the filter ----------------------------------------------------------------------------------------------------

def cache(**values):
    """name, max_size, max_object, ttl, ttl_by_status, heuristic, heuristic_max, key, query, methods, bypass, no_store, vary,
    respect_request_directives, serve_stale, collapse, uncacheable_ttl, early_refresh, targeted, tags, set_cookie,
    cache_status, purge_from, shared"""
    return {"cache": values}


def query(**values):
    """Of the parameters `allow` alone, or all but `deny`; `sort`: in any order."""
    return {"query": _named({"allow": "allow", "deny": "deny", "sort": "sort"}, values)}


def vary(**values):
    return {"vary": _named({"fields": "max_fields", "variants": "max_variants"}, values)}


def serve_stale(**values):
    return {"serve_stale": _named({"refreshing": "while_revalidate", "failing": "if_error"}, values)}


def collapse(**values):
    return {"collapse": _named({"on": "enabled", "wait": "wait"}, values)}


def early_refresh(beta):
    return {"early_refresh": {"beta": beta}}


def cache_status(**values):
    return {"cache_status": _named({"name": "name", "key": "key"}, values)}


def shared(**values):
    return {"shared": {"enabled": True} | _named({"max_object": "max_object"}, values)}


def respecting(*words):
    return {"respect_request_directives": list(words)}


REQUEST_DIRECTIVES = ("no_cache", "no_store", "max_age", "min_fresh", "max_stale", "only_if_cached")


def store(url, **values):
    return {"store": {"redis": url} | values}


STORED_KEYS = "weir:v:cache*"                       # of responses in Redis
STORED_PIECES = "weir:v:piece*"                     # of their long bodies


# --- orders to forget ----------------------------------------------------------------------------------------------

PURGE_PATH = "/cache/purge"                         # of the admin address


def purge_order(name=None, soft=None, **what):
    """`what`: url, prefix or tag = text, or all = True."""
    return _named({"name": "name", "soft": "soft"}, {"name": name, "soft": soft}) | what


# --- what is observed ----------------------------------------------------------------------------------------------

REQUESTS = "weir_cache_requests_total"              # cache, status
BYTES, OBJECTS, EVICTIONS = "weir_cache_bytes", "weir_cache_objects", "weir_cache_evictions_total"
HIT_AGE = "weir_cache_hit_age_seconds"              # a histogram: cache, route
CACHE_LABEL, STATUS_LABEL, ROUTE_LABEL = "cache", "status", "route"
HIT, STALE, MISS, REVALIDATED, COLLAPSED, BYPASS = "hit", "stale", "miss", "revalidated", "collapsed", "bypass"

LOG_CACHE = "cache"                                 # the access log's field, with one of these words
STALE_FLAG = "ST"

STATUS_FIELD, NAME = "cache-status", "weir"
WHILE_REVALIDATE, IF_ERROR = "stale-while-revalidate", "stale-if-error"

TARGETED, TARGETED_FOR_ALL = "weir-cache-control", "cdn-cache-control"
TAG_FIELDS = ("surrogate-key", "cache-tag")
