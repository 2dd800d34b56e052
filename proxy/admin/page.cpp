#include "admin/page.h"

#include "async/next_turn.h"

namespace weir::admin {

namespace {

class PageBody final : public Body {
 public:
  PageBody(Exchange& exchange, RenderedPage page)
      : Body(exchange.arena()), exchange_(exchange), size_(page.size), pieces_(std::move(page.pieces)) {}

  Task<Result<Chunk>> read() override {
    if (next_ == pieces_.size()) co_return Chunk::end();
    if (next_ > 0) co_await next_turn(exchange_.loop());
    auto piece = std::move(pieces_[next_++]);
    const std::string_view bytes = *piece;
    co_return Chunk{exchange_.worker.lender.lend(std::move(piece), bytes)};
  }
  http::BodySize size() const override { return http::BodySize::known(size_); }
  bool is_exact() const override { return true; }

 private:
  Exchange& exchange_;
  size_t size_;
  size_t next_ = 0;
  std::vector<std::shared_ptr<const std::string>> pieces_;
};

}  // namespace

RenderedPage::RenderedPage(Page page) : content_type(std::move(page.content_type)), size(page.text.size()) {
  for (size_t at = 0; at < size; at += kPiece)
    pieces.push_back(std::make_shared<const std::string>(page.text, at, kPiece));
}

void respond_with(Exchange& exchange, RenderedPage page) {
  exchange.respond(200, exchange.arena().copy(page.content_type));
  exchange.response.head.headers.add("cache-control", "no-store");
  exchange.response.body = make_in<PageBody>(exchange.arena(), exchange, std::move(page));
}

}  // namespace weir::admin
