#pragma once

#include "exchange/body.h"
#include "http/websocket_frames.h"

namespace weir::downstream {

/// Where the two directions of a WebSocket stand.
struct Tunnel {
  http::WebSocketFrames to_endpoint;
  http::WebSocketFrames to_client;
};

/// What the endpoint sends into a tunnel, watched on its way to the client.
class TunnelBody final : public Body {
 public:
  TunnelBody(Arena& arena, BodyPtr inner, http::WebSocketFrames& frames)
      : Body(arena), inner_(std::move(inner)), frames_(frames) {}

  Task<Result<Chunk>> read() override {
    auto chunk = co_await inner_->read();
    if (chunk) frames_.pass(chunk->data.view());
    co_return chunk;
  }
  http::BodySize size() const override { return inner_->size(); }
  bool is_exact() const override { return inner_->is_exact(); }

 private:
  BodyPtr inner_;
  http::WebSocketFrames& frames_;
};

}  // namespace weir::downstream
