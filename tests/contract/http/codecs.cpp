#include "bench.h"

// What a codec promises, whichever version it speaks.

TYPE_TO_STRING(weir::http::H1Codec);
TYPE_TO_STRING(weir::http::H2Codec);

namespace weir::http {

namespace {

Slice text(std::string_view bytes) { return Slice::literal(bytes); }

std::string_view field(const Headers& headers, std::string_view name) {
  return headers.get(name).value_or(std::string_view("(none)"));
}

}  // namespace

#define EACH_CODEC H1Codec, H2Codec

TEST_CASE_TEMPLATE("codec: a request and its response arrive as they were sent", C, EACH_CODEC) {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Conversation<C> talk(fragment);
    talk.answer = [&](StreamId stream) {
      talk.respond(stream, 201, BodySize::known(5), {{"X-Answer", "yes"}});
      talk.server.codec.send_data(stream, text("hel"));
      talk.server.codec.send_data(stream, text("lo"));
      talk.server.codec.send_end(stream, nullptr);
    };
    const auto stream = talk.ask(BodySize::known(3), Method::post, {{"X-Ask", "please"}, {"Host", "another"}});
    talk.client.codec.send_data(stream, text("abc"));
    talk.client.codec.send_end(stream, nullptr);
    talk.exchange();

    REQUIRE(talk.server.events.requests.size() == 1);
    const auto& request = talk.server.events.requests.back();
    CHECK(request.method == Method::post);
    CHECK(request.method_name == "POST");
    CHECK(request.authority == "a.example:81");
    CHECK(field(request.headers, "host") == "a.example:81");
    CHECK(request.target == "/x?y=1");
    CHECK(request.path == "/x");
    CHECK(request.query == "y=1");
    CHECK(request.protocol == "");
    CHECK(field(request.headers, "x-ask") == "please");
    CHECK(field(request.headers, "content-length") == "3");
    CHECK(talk.server.events.received == "abc");
    CHECK(talk.server.events.ends == 1);

    REQUIRE(talk.client.events.responses.size() == 1);
    const auto& response = talk.client.events.responses.back();
    CHECK(response.status == 201);
    CHECK(field(response.headers, "x-answer") == "yes");
    CHECK(field(response.headers, "content-length") == "5");
    CHECK(talk.client.events.received == "hello");
    CHECK(talk.client.events.ends == 1);
    CHECK_FALSE(talk.client.error);
    CHECK_FALSE(talk.server.error);
  }
}

TEST_CASE_TEMPLATE("codec: bodies of unknown length end where they were ended, with their trailers", C, EACH_CODEC) {
  for (size_t fragment : kFragments) {
    CAPTURE(fragment);
    Conversation<C> talk(fragment);
    Headers trailers(talk.client.arena);
    trailers.add("X-Sum", "17");
    trailers.add("Content-Length", "5");
    trailers.add("Authorization", "no");
    talk.answer = [&](StreamId stream) {
      talk.respond(stream, 200, BodySize::unknown());
      talk.server.codec.send_data(stream, text("hello"));
      talk.server.codec.send_end(stream, &trailers);
    };
    const auto stream = talk.ask(BodySize::unknown(), Method::post);
    talk.client.codec.send_data(stream, text("ab"));
    talk.exchange();
    CHECK(talk.server.events.received == "ab");
    CHECK(talk.server.events.ends == 0);
    CHECK(talk.server.codec.is_receiving());
    talk.client.codec.send_data(stream, text("cd"));
    talk.client.codec.send_end(stream, &trailers);
    talk.exchange();
    for (auto* side : {&talk.server, &talk.client}) {
      const auto& events = side->events.events();
      const auto end = events.substr(events.find("\nend\n") + 5);
      CHECK((end == "  x-sum=17\n" || end == "  X-Sum=17\n"));
    }
  }
}

TEST_CASE_TEMPLATE("codec: interim responses come before the final one", C, EACH_CODEC) {
  for (size_t fragment : kFragments) {
    Conversation<C> talk(fragment);
    talk.answer = [&](StreamId stream) {
      ResponseHead hints(talk.server.arena);
      hints.status = 103;
      hints.headers.add("link", "</a>");
      talk.server.codec.send_interim(stream, hints);
      hints.status = 102;
      talk.server.codec.send_interim(stream, hints);
      talk.respond(stream, 200, BodySize::known(0));
      talk.server.codec.send_end(stream, nullptr);
      talk.server.codec.send_interim(stream, hints);
    };
    talk.client.codec.send_end(talk.ask(), nullptr);
    talk.exchange();
    REQUIRE(talk.client.events.responses.size() == 3);
    CHECK(talk.client.events.responses[0].status == 103);
    CHECK(field(talk.client.events.responses[0].headers, "link") == "</a>");
    CHECK(talk.client.events.responses[1].status == 102);
    CHECK(talk.client.events.responses[2].status == 200);
    CHECK(talk.client.events.ends == 1);
    CHECK_FALSE(talk.client.error);
  }
}

TEST_CASE_TEMPLATE("codec: what has no body gets none, and keeps the length that it speaks of", C, EACH_CODEC) {
  struct Case {
    Method method;
    uint16_t status;
    BodySize body;
    std::string_view given;
    std::string_view length;
  };
  for (const Case& c :
       {Case{Method::head, 200, BodySize::known(5), "", "5"}, Case{Method::head, 200, BodySize::unknown(), "7", "7"},
        Case{Method::head, 200, BodySize::unknown(), "", "(none)"}, Case{Method::get, 304, BodySize::none(), "9", "9"},
        Case{Method::get, 204, BodySize::known(5), "5", "(none)"}}) {
    CAPTURE(c.status);
    CAPTURE(c.length);
    Conversation<C> talk;
    talk.answer = [&](StreamId stream) {
      if (c.given.empty()) {
        talk.respond(stream, c.status, c.body);
      } else {
        talk.respond(stream, c.status, c.body, {{"Content-Length", c.given}});
      }
      talk.server.codec.send_data(stream, text("hello"));
      talk.server.codec.send_end(stream, nullptr);
    };
    talk.client.codec.send_end(talk.ask(BodySize::none(), c.method), nullptr);
    talk.exchange();
    REQUIRE(talk.client.events.responses.size() == 1);
    CHECK(field(talk.client.events.responses[0].headers, "content-length") == c.length);
    CHECK(talk.client.events.received == "");
    CHECK(talk.client.events.ends == 1);
    CHECK_FALSE(talk.client.error);
    CHECK(talk.client.events.resets.empty());
    CHECK(talk.client.codec.is_idle());
    CHECK(talk.client.codec.is_reusable());
  }
}

TEST_CASE_TEMPLATE("codec: requests follow each other on one connection", C, EACH_CODEC) {
  for (size_t fragment : kFragments) {
    Conversation<C> talk(fragment);
    talk.answer = [&](StreamId stream) {
      talk.respond(stream, 200, BodySize::known(2));
      talk.server.codec.send_data(stream, text("ok"));
      talk.server.codec.send_end(stream, nullptr);
    };
    for (int i = 1; i <= 5; ++i) {
      REQUIRE(talk.client.codec.capacity() > 0);
      const auto free = talk.client.codec.capacity();
      const auto stream = talk.ask();
      CHECK(talk.client.codec.capacity() == free - 1);
      CHECK_FALSE(talk.client.codec.is_idle());
      talk.client.codec.send_end(stream, nullptr);
      talk.exchange();
      CHECK(talk.server.events.ends == i);
      CHECK(talk.client.events.ends == i);
      CHECK(talk.client.codec.is_idle());
      CHECK(talk.server.codec.is_idle());
    }
  }
}

TEST_CASE_TEMPLATE("codec: a large body arrives whole, however small the pieces and windows", C, EACH_CODEC) {
  for (size_t fragment : {size_t{31}, size_t{1} << 20}) {
    Conversation<C> talk(fragment);
    std::string body;
    for (int i = 0; body.size() < 3'000'000; ++i) body += std::to_string(i) + ' ';
    talk.answer = [&](StreamId stream) {
      talk.respond(stream, 200, BodySize::known(body.size()));
      talk.server.codec.send_data(stream, text(body));
      talk.server.codec.send_end(stream, nullptr);
    };
    const auto stream = talk.ask(BodySize::unknown(), Method::put);
    talk.client.codec.send_data(stream, text(body));
    talk.client.codec.send_end(stream, nullptr);
    talk.exchange();
    CHECK((talk.server.events.received == body));
    CHECK((talk.client.events.received == body));
    CHECK(talk.client.events.ends == 1);
    CHECK(talk.client.codec.held_back(stream) == 0);
  }
}

TEST_CASE_TEMPLATE("codec: a body that belies its length never ends as if it were whole", C, EACH_CODEC) {
  for (const std::string_view body : {"hell", "hello!"}) {
    Conversation<C> talk;
    talk.answer = [&](StreamId stream) {
      talk.respond(stream, 200, BodySize::known(5));
      talk.server.codec.send_data(stream, text(body));
      talk.server.codec.send_end(stream, nullptr);
    };
    talk.client.codec.send_end(talk.ask(), nullptr);
    talk.exchange();
    talk.client.feed_end();
    const auto& client = talk.client;
    if (client.events.ends == 1) CHECK(client.events.received == body.substr(0, 5));
    if (client.events.ends == 0) CHECK((client.error || !client.events.resets.empty()));
    CHECK((client.events.ends == 0 || body.size() > 5));
  }
}

TEST_CASE_TEMPLATE("codec: after a reset nothing more of the stream is reported", C, EACH_CODEC) {
  Conversation<C> talk;
  const auto stream = talk.ask(BodySize::known(10), Method::post);
  talk.client.codec.send_data(stream, text("12345"));
  talk.exchange();
  CHECK(talk.server.events.received == "12345");
  talk.server.codec.reset(talk.server.events.last, ErrorCode::internal);
  talk.client.codec.send_data(stream, text("67890"));
  talk.client.codec.send_end(stream, nullptr);
  talk.exchange();
  CHECK(talk.server.events.received == "12345");
  CHECK(talk.server.events.ends == 0);
  CHECK(talk.server.events.resets.empty());
  talk.respond(talk.server.events.last, 200, BodySize::known(0));
  talk.exchange();
  CHECK(talk.client.events.responses.empty());
}

TEST_CASE_TEMPLATE("codec: a FIN inside a message is an error, one between messages is none", C, EACH_CODEC) {
  {
    Conversation<C> talk;
    talk.client.feed_end();
    talk.server.feed_end();
    CHECK_FALSE(talk.client.error);
    CHECK_FALSE(talk.server.error);
    CHECK_FALSE(talk.client.codec.is_reusable());
    CHECK_FALSE(talk.server.codec.is_reusable());
    CHECK(talk.client.codec.capacity() == 0);
  }
  Conversation<C> talk;
  const auto stream = talk.ask(BodySize::known(2), Method::post);
  talk.client.codec.send_data(stream, text("a"));
  talk.exchange();
  talk.client.feed_end();
  talk.server.feed_end();
  REQUIRE(talk.client.error);
  REQUIRE(talk.server.error);
  CHECK(name_of(talk.client.error->code) == "incomplete_response");
  CHECK(talk.client.error->side == Side::upstream);
  CHECK(name_of(talk.server.error->code) == "client_gone");
  CHECK(talk.server.events.ends == 0);
}

TEST_CASE_TEMPLATE("codec: a drained connection serves what it has, and no more", C, EACH_CODEC) {
  for (size_t fragment : kFragments) {
    Conversation<C> talk(fragment);
    talk.client.codec.send_end(talk.ask(), nullptr);
    talk.exchange();
    talk.server.codec.drain();
    talk.exchange();
    talk.respond(talk.server.events.last, 200, BodySize::known(2));
    talk.server.codec.send_data(talk.server.events.last, text("ok"));
    talk.server.codec.send_end(talk.server.events.last, nullptr);
    talk.exchange();
    CHECK(talk.client.events.received == "ok");
    CHECK(talk.client.events.ends == 1);
    CHECK_FALSE(talk.server.codec.is_reusable());
    CHECK_FALSE(talk.client.codec.is_reusable());
    CHECK(talk.client.codec.capacity() == 0);
    CHECK_FALSE(talk.client.error);
  }
}

TEST_CASE_TEMPLATE("codec: a head past its limits is refused", C, EACH_CODEC) {
  HeadLimits limits;
  limits.head_bytes = 2000;
  limits.request_line = 500;
  limits.fields = 5;
  const std::string big(2000, 'x');
  for (auto fields :
       {std::initializer_list<Header>{{"X", big}},
        std::initializer_list<Header>{{"A", "1"}, {"B", "2"}, {"C", "3"}, {"D", "4"}, {"E", "5"}, {"F", "6"}}}) {
    Conversation<C> talk(1 << 20, limits);
    talk.client.codec.send_end(talk.ask(BodySize::none(), Method::get, fields), nullptr);
    talk.exchange();
    CHECK(talk.server.events.ends == 0);
    const auto error = talk.server.error ? *talk.server.error : talk.server.events.resets.at(0);
    CHECK(name_of(error.code) == "head_too_large");
    CHECK(error.side == Side::client);
  }
}

}  // namespace weir::http
