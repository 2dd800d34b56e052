#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exchange/filter.h"

namespace weir {

/// The filters of a route, outermost first, and what they stand before.
class Chain {
 public:
  struct Link {
    std::string name;  // "rate_limit"
    std::shared_ptr<const Filter> filter;
  };

  Chain() = default;
  Chain(std::vector<Link> links, std::shared_ptr<const Origin> origin)
      : links_(std::move(links)), origin_(std::move(origin)) {}

  Task<> run(Exchange& exchange) const { return Next(*this, 0)(exchange); }
  /// A request of this route was refused before its chain ran.
  void refused(Exchange& exchange) const {
    for (const auto& link : links_) link.filter->refused(exchange);
  }
  const std::vector<Link>& links() const { return links_; }
  const Origin& origin() const { return *origin_; }

 private:
  friend Next;
  std::vector<Link> links_;
  std::shared_ptr<const Origin> origin_;
};

inline Task<> Next::operator()(Exchange& exchange) const {
  if (position_ == chain_->links_.size()) return chain_->origin_->handle(exchange);
  return chain_->links_[position_].filter->handle(exchange, Next(*chain_, position_ + 1));
}

}  // namespace weir
