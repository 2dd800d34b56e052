#pragma once

#include <memory>
#include <utility>

#include "base/buffer.h"
#include "base/recycler.h"

namespace weir {

/// Lends bytes that any number of threads share, and that never change, to the slices of one of them: what owns the
/// bytes lives until the last slice has gone. No malloc once it is warm. One thread; outlives its slices.
class Lender {
 public:
  Lender() = default;
  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;

  Slice lend(std::shared_ptr<const void> owner, std::string_view bytes) {
    Loan* const loan = loans_.make();
    loan->bytes = const_cast<char*>(bytes.data());  // nobody writes to what is shared
    loan->size = static_cast<uint32_t>(bytes.size());
    loan->owner = this;
    loan->release = [](Block& block) noexcept {
      static_cast<Lender*>(block.owner)->loans_.destroy(static_cast<Loan*>(&block));
    };
    loan->lender = std::move(owner);
    return {BlockRef(loan), bytes};
  }

 private:
  struct Loan : Block {
    std::shared_ptr<const void> lender;
  };
  Recycler<Loan> loans_;
};

}  // namespace weir
