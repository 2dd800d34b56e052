#pragma once

#include <string_view>

namespace weir::downstream {

/// One member of a Forwarded field (RFC 7239 section 4). The values are without quotes; escapes in them stay.
struct ForwardedMember {
  std::string_view node;       // `for`; "" = the member has none
  std::string_view scheme;     // `proto`
  std::string_view host;       // `host`
  bool is_unequivocal = true;  // readers that know less of the grammar find the same values
};

/// Reads a Forwarded field from its right end, where the nearest proxy wrote. Quoted strings are recognised, so the
/// authors of the members on the left cannot change how a well-formed member is read. A member outside the grammar (odd
/// quotes, a name that is not a token, a repeated parameter) ends the reading: nothing to the left of that member
/// counts.
class ForwardedReader {
 public:
  explicit ForwardedReader(std::string_view field) : field_(field), left_(field), is_at_end_(field.empty()) {}

  /// Moves to the next member on the left and skips empty members. False at the end, and for a member outside the
  /// grammar.
  bool next();
  const ForwardedMember& member() const { return member_; }
  /// The members were read to the left end of the field.
  bool is_at_end() const { return is_at_end_; }
  /// The part of the field that was read so far, without the separators on the left.
  std::string_view read() const { return field_.substr(read_from_); }

 private:
  struct Pair {
    std::string_view name;
    std::string_view value;
    bool is_exact = true;  // without spaces at the equals sign, and nothing in the value separates or escapes
  };
  bool take_member();
  bool take_pair(Pair& pair);
  bool take_quoted(std::string_view& value);
  bool take_plain(std::string_view& value);
  bool note(const Pair& pair);

  std::string_view field_;
  std::string_view left_;  // the unread part
  size_t read_from_ = field_.size();
  ForwardedMember member_;
  bool is_at_end_;
};

}  // namespace weir::downstream
