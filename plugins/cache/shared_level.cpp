#include "plugins/cache/shared_level.h"

#include <random>

#include "base/arena_text.h"
#include "base/hash.h"
#include "plugins/cache/rules/request_values.h"
#include "store/store.h"

namespace weir::plugins {

// Places in the store: the place of a key has the newest variant of the response. Each variant also has a place of its
// own, named after the request fields that select it; the newest variant tells which fields these are. A body of more
// than kPiece bytes lies in pieces at places named after its variant. The worker serves other requests between two
// pieces. The pieces are written before the head, so a head without its pieces is rare, and then a miss. A newer body
// of a variant overwrites the pieces of the older body. Each piece begins with the id of its body: a piece of another
// body is a miss.

namespace {

constexpr size_t kMostHead = 256 * 1024;  // bytes of all that is kept beside a body
constexpr uint64_t kPiece = 256 * 1024;   // bytes of a body in one value of the store: about 1 ms of work
constexpr uint32_t kMostComing = 64;      // long bodies at once
constexpr Duration kPatience = std::chrono::seconds(5);  // for one of them
constexpr uint64_t kSecondSeed = 0x9e3779b97f4a7c15;

/// One of the long bodies that are on their way.
class Coming {
 public:
  explicit Coming(Account& account) : account_(account), number_(account.coming.fetch_add(1) + 1) {}
  Coming(const Coming&) = delete;
  Coming& operator=(const Coming&) = delete;
  ~Coming() { account_.coming.fetch_sub(1); }
  bool is_one_too_many() const { return number_ > kMostComing; }

 private:
  Account& account_;
  const uint32_t number_;
};

std::string_view hex_of(std::string_view text, Arena& arena) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto* const hex = static_cast<char*>(arena.bump(32, 1));
  size_t at = 0;
  for (const auto number : {hash(text), hash(text, kSecondSeed)}) {
    for (int shift = 60; shift >= 0; shift -= 4) hex[at++] = kDigits[(number >> shift) & 15];
  }
  return {hex, 32};
}

Moments moments(Exchange& exchange) { return {exchange.loop().now(), exchange.loop().clock().wall()}; }

Duration keep_for(const Object& object, Time now) {
  return object.time_left(now) + std::max(object.terms.while_revalidate, object.terms.if_error);
}

uint64_t random_id() {
  std::random_device dice;
  return uint64_t{dice()} << 32 | dice();
}

std::string place_of_piece(std::string_view variant, uint64_t number) {
  return "piece:" + std::string(variant) + ":" + std::to_string(number);
}

/// The first bytes of each piece of a body. A view of `id`.
std::string_view mark_of(const uint64_t& id) { return {reinterpret_cast<const char*>(&id), sizeof id}; }

}  // namespace

std::string_view SharedLevel::place_of(std::string_view key, Arena& arena) const {
  return arena.concat({"cache:", name_, ":", hex_of(key, arena)});
}

/// `value_of(member)`: what it is chosen by, normalised; nothing when that was absent.
template <class ValueOf>
std::string_view SharedLevel::place_of(std::string_view place, const Selection& selection, Arena& arena,
                                       ValueOf value_of) const {
  ArenaText values(arena);
  for (const auto& member : selection.members) {
    const std::optional<std::string_view> value = value_of(member);
    values << member.name << (value ? "=" : "-") << value.value_or("") << "\n";
  }
  return arena.concat({place, ":", hex_of(values.text(), arena)});
}

/// The place of the variant that `object` is.
std::string_view SharedLevel::place_of(std::string_view place, const Object& object, Arena& arena) const {
  if (object.selection.members.empty()) return place;
  return place_of(place, object.selection, arena, [](const Selection::Member& member) {
    return member.is_absent ? std::nullopt : std::optional<std::string_view>(member.value);
  });
}

Task<std::shared_ptr<Object>> SharedLevel::find(Exchange& exchange, std::string_view key, std::string_view url,
                                                const Purges& purges, Shelf& shelf) const {
  Arena& arena = exchange.arena();
  RequestValues request(exchange.request.headers, arena);
  auto place = place_of(key, arena);
  for (int turn = 0; turn < 2; ++turn) {
    const auto text = co_await exchange.worker.store.bulk().get({arena}, place, kPiece + kMostHead);
    if (!text || !*text) co_return nullptr;
    auto found = unpack(**text, key, moments(exchange), arena);
    if (!found) co_return nullptr;
    auto& object = found->object;
    if (!request.matches(object->selection)) {
      const auto asked = [&](const Selection::Member& member) -> std::optional<std::string_view> {
        const auto& value = request.learned(member.name);
        return value.is_absent ? std::nullopt : std::optional(value.text);
      };
      place = place_of(place, object->selection, arena, asked);
      continue;
    }
    const auto verdict = purges.judge(found->purge_id, url, object->tags);
    if (verdict == Purges::Verdict::gone) co_return nullptr;
    object->heed(verdict);
    const auto variant = place_of(place_of(key, arena), *object, arena);
    object->content->charge_to(shelf.account());
    const bool is_whole =
        !found->pieces || co_await find_body(exchange, variant, *found->pieces, *object->content, shelf);
    co_return is_whole ? std::move(object) : nullptr;
  }
  co_return nullptr;
}

Task<bool> SharedLevel::find_body(Exchange& exchange, std::string_view variant, Pieces pieces, Content& content,
                                  Shelf& shelf) const {
  if (pieces.size > max_object_) co_return false;
  const Coming coming(*shelf.account());
  const Time until = exchange.loop().now() + kPatience;
  for (uint64_t at = 0, number = 0; at < pieces.size; at += kPiece, ++number) {
    const Time now = exchange.loop().now();
    if (coming.is_one_too_many() || now >= until || !shelf.make_room(now)) co_return false;
    Arena arena(exchange.worker.blocks);
    const auto mark = mark_of(pieces.id);
    const auto place = place_of_piece(variant, number);
    const auto text = co_await exchange.worker.store.bulk().get({arena}, place, mark.size() + kPiece);
    if (!text || !*text || !(*text)->starts_with(mark)) co_return false;
    const auto bytes = (*text)->substr(mark.size());
    if (bytes.size() != std::min(kPiece, pieces.size - at)) co_return false;
    content.append(bytes);
  }
  content.finish();
  co_return true;
}

Task<SharedLevel::Put> SharedLevel::put_body(Exchange& exchange, std::string_view variant, Pieces pieces,
                                             Content& content, Duration keep) const {
  Content::Reader reader(content);
  std::string bytes;
  for (uint64_t number = 0; number * kPiece < pieces.size; ++number) {
    bytes = mark_of(pieces.id);
    const size_t most = bytes.size() + std::min(kPiece, pieces.size - number * kPiece);
    while (bytes.size() < most) {
      const auto piece = reader.next(most - bytes.size());
      if (piece.bytes.empty()) co_return Put::failed;  // the content was dropped
      bytes.append(piece.bytes);
    }
    Arena arena(exchange.worker.blocks);
    const auto place = place_of_piece(variant, number);
    const auto put = co_await put_value(exchange, arena, place, bytes, keep);
    if (put != Put::done) co_return put;
  }
  co_return Put::done;
}

Task<SharedLevel::Put> SharedLevel::put_value(Exchange& exchange, Arena& arena, std::string_view place,
                                              std::string_view value, Duration keep) const {
  const auto is_put = co_await exchange.worker.store.bulk().put_spare({arena}, place, value, keep);
  if (!is_put) co_return Put::failed;
  co_return *is_put ? Put::done : Put::full;
}

Task<SharedLevel::Put> SharedLevel::put(Exchange& exchange, std::string_view key, const Object& object,
                                        std::string_view purge_id) const {
  const Time now = exchange.loop().now();
  const auto keep = keep_for(object, now);
  if (object.content->size() > max_object_ || keep <= Duration{}) co_return Put::failed;
  Arena& arena = exchange.arena();
  const auto place = place_of(key, arena);
  const auto own = place_of(place, object, arena);
  std::optional<Pieces> pieces;
  if (object.content->size() > kPiece) pieces = Pieces{random_id(), object.content->size()};
  if (pieces) {
    const auto put = co_await put_body(exchange, own, *pieces, *object.content, keep);
    if (put != Put::done) co_return put;
  }
  const auto text = pack(object, key, purge_id, moments(exchange), pieces);
  if (text.size() > kPiece + kMostHead) co_return Put::failed;
  if (own != place) {
    const auto put = co_await put_value(exchange, arena, own, text, keep);
    if (put != Put::done) co_return put;
  }
  co_return co_await put_value(exchange, arena, place, text, keep);
}

}  // namespace weir::plugins
