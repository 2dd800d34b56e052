#pragma once

#include <doctest/doctest.h>

#include "config/loader.h"
#include "plugins/registry.h"
#include "unit/exchange_bench.h"

namespace weir::plugins {

struct FilterList {
  std::vector<config::Tagged<FilterFactory>> filters;
};
inline void decode(config::Reader& r, FilterList& list) { r.optional("filters", list.filters, "outermost first"); }

/// A chain as YAML has it, in front of a stub that answers.
struct FilterBench : ExchangeBench {
  config::Problems problems;
  StateSlots slots;
  FilterMetrics metrics;
  std::shared_ptr<StubOrigin> origin = std::make_shared<StubOrigin>();
  Chain chain;

  explicit FilterBench(std::string yaml, const config::Tags<FilterFactory>& known = plugins::filters()) {
    config::Tables tables;
    tables.add(known);
    const auto document = config::load_text("weir.yaml", std::move(yaml), problems);
    const auto list = config::decode_document<FilterList>(document, problems, tables);
    if (!problems.empty()) return;
    std::vector<Chain::Link> links;
    FilterContext context{problems, slots, metrics, "test"};
    const config::NameSet upstreams{"api", "spare"};
    context.upstreams = &upstreams;
    for (const auto& filter : list.filters) {
      links.push_back({filter.name, filter.value(context)});
      context.in_front.push_back(filter.name);
    }
    chain = Chain(std::move(links), origin);
  }
  /// Sends the exchange's request through.
  uint16_t run() {
    auto task = chain.run(exchange);
    REQUIRE(task.start());
    task.take();
    return exchange.response.head.status;
  }
};

}  // namespace weir::plugins
