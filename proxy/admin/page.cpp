#include "admin/page.h"

#include "async/next_turn.h"

namespace weir::admin {

namespace {

constexpr size_t kPiece = 64 * 1024;

class PageBody final : public Body {
 public:
  PageBody(Exchange& exchange, PagePtr page) : Body(exchange.arena()), exchange_(exchange), page_(std::move(page)) {}

  Task<Result<Chunk>> read() override {
    if (at_ == page_->text.size()) co_return Chunk::end();
    if (at_ > 0) co_await next_turn(exchange_.loop());
    const auto piece = std::string_view(page_->text).substr(at_, kPiece);
    at_ += piece.size();
    co_return Chunk{exchange_.worker.lender.lend(page_, piece)};
  }
  http::BodySize size() const override { return http::BodySize::known(page_->text.size()); }
  bool is_exact() const override { return true; }

 private:
  Exchange& exchange_;
  const PagePtr page_;
  size_t at_ = 0;
};

}  // namespace

void respond_with(Exchange& exchange, PagePtr page) {
  exchange.respond(200, exchange.arena().copy(page->content_type));
  exchange.response.head.headers.add("cache-control", "no-store");
  exchange.response.body = make_in<PageBody>(exchange.arena(), exchange, std::move(page));
}

}  // namespace weir::admin
