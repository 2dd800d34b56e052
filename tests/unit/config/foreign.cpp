#include "config/foreign.h"

#include <doctest/doctest.h>

#include "config/suggest.h"
#include "unit/config/bench.h"

using namespace weir;
using namespace weir::config;

namespace {

struct Texts {
  std::string plain;
  std::string templated;
};
void decode(Reader& r, Texts& out) {
  r.optional("plain", out.plain, "any text");
  r.optional("templated", out.templated, "a text with keys", no_variables);
}

std::string problem(const std::string& yaml) {
  const Read<Texts> read(yaml);
  return read.problems.empty() ? "" : read.problems.all().front().message + " | " + read.problems.all().front().hint;
}

}  // namespace

TEST_CASE("foreign syntax: a variable of another proxy is told with Weir's key") {
  CHECK(foreign_variable("$host").ends_with("write {host}"));
  CHECK(foreign_variable("a $remote_addr b").ends_with("write {client.ip}"));
  CHECK(foreign_variable("$http_x_user_id").ends_with("write {header.x-user-id}"));
  CHECK(foreign_variable("$cookie_sid").ends_with("write {cookie.sid}"));
  CHECK(foreign_variable("$arg_page").ends_with("write {query.page}"));
  CHECK(foreign_variable("%[src]").ends_with("write {client.ip}"));
  CHECK(foreign_variable("%[req.hdr(X-User)]").ends_with("write {header.NAME}"));
  CHECK(foreign_variable("{remote_host}").ends_with("write {client.ip}"));
  CHECK(foreign_variable("/x/{1}").contains("\\1"));
  CHECK(foreign_variable("/x/$1").contains("\\1"));
}

TEST_CASE("foreign syntax: a plain text and Weir's own keys have no hint") {
  for (const auto* text : {"", "$", "100$", "$5.00", "$HOME", "a%20b", "100%", "{client.ip}", "{{1}}", "${host}",
                           "$$host", "${A:-$host}", "%%[src]"}) {
    CAPTURE(text);
    CHECK(foreign_variable(text) == "");
  }
}

TEST_CASE("foreign syntax: a setting with keys refuses variables, and a doubled dollar is a dollar") {
  CHECK(problem("templated: 'for $host'") ==
        "'for $host' has a variable of another proxy | '$host' is not replaced; write {host}; $$ is a dollar sign");
  CHECK(problem("plain: 'for $host'") == "");
  const Read<Texts> read("templated: 'for $$host'");
  CHECK(read.problems.empty());
  CHECK(read.value.templated == "for $host");
}

TEST_CASE("foreign syntax: a group in braces is no variable of the environment") {
  CHECK(problem("plain: '/x/${1}'").contains("\\1 is the first group"));
}

TEST_CASE("foreign syntax: a word of another proxy is told before a similar one") {
  CHECK(did_you_mean("least_conn", {"round_robin", "least_connections"}) == "write least_connections; ");
  CHECK(did_you_mean("source", {"hash", "maglev"}) == "write { hash: client.ip }; ");
  CHECK(did_you_mean("TLSv1.2", {"1.2", "1.3"}) == "write \"1.2\" or \"1.3\"; ");
  CHECK(did_you_mean("not", {"host", "path", "methods"}).contains("before this one"));
  CHECK(did_you_mean("gzip", {"cache"}).contains("does not compress"));
  CHECK(did_you_mean("auth_basic", {"cache"}).contains("does not authenticate"));
  CHECK(did_you_mean("burts", {"rate", "burst"}) == "did you mean 'burst'? ");
}

TEST_CASE("foreign syntax: a word is only told where Weir's word is possible") {
  CHECK(did_you_mean("least_conn", {"rate", "burst"}) == "");
}

TEST_CASE("yaml: an unquoted expression in a flow list is told with the quotes") {
  for (const auto* yaml : {"plain: *.example.com", "plain: [ %[src] ]", "plain: @x"}) {
    CAPTURE(yaml);
    CHECK(problem(yaml).contains("quote a text"));
  }
}
