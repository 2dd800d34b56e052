#pragma once

// The types that a setting may have. Included by reader.h, whose Reader does the untyped part.

#include <charconv>
#include <concepts>
#include <limits>
#include <map>
#include <type_traits>

#include "config/reader_class.h"

namespace weir::config {

/// A type that is written as one scalar: its name in messages, how to write it, and both directions.
template <class T>
struct Scalar;

template <>
struct Scalar<bool> {
  static constexpr auto kKind = Shape::Kind::boolean;
  static constexpr std::string_view kExpected = "true or false";
  static constexpr std::string_view kHint = "write true or false";
  static std::optional<bool> parse(std::string_view text) {
    if (text != "true" && text != "false") return std::nullopt;
    return text == "true";
  }
  static Value value(bool value) { return Value::of(value); }
  static double measure(bool) { return 0; }
};

template <std::integral I>
struct Scalar<I> {
  static constexpr auto kKind = Shape::Kind::integer;
  static constexpr std::string_view kExpected = "a whole number";
  static constexpr std::string_view kHint =
      std::unsigned_integral<I> ? "write a whole number, 0 or above" : "write a whole number";
  static std::optional<I> parse(std::string_view text) {
    I value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  static Value value(I value) { return Value::number(std::to_string(value)); }
  static double measure(I value) { return static_cast<double>(value); }
};

template <>
struct Scalar<double> {
  static constexpr auto kKind = Shape::Kind::number;
  static constexpr std::string_view kExpected = "a number";
  static constexpr std::string_view kHint = "write a number: 0.5, 20";
  static std::optional<double> parse(std::string_view text);
  static Value value(double value);
  static double measure(double value) { return value; }
};

template <>
struct Scalar<std::string> {
  static constexpr auto kKind = Shape::Kind::text;
  static constexpr std::string_view kExpected = "text";
  static constexpr std::string_view kHint = "write a text";
  static std::optional<std::string> parse(std::string_view text) { return std::string(text); }
  static Value value(const std::string& value) { return Value::text(value); }
};

template <>
struct Scalar<Duration> {
  static constexpr auto kKind = Shape::Kind::duration;
  static constexpr std::string_view kExpected = "a duration";
  static constexpr std::string_view kHint = kDurationHint;
  static std::optional<Duration> parse(std::string_view text) { return parse_duration(text); }
  static Value value(Duration value) { return Value::text(format(value)); }
  static double measure(Duration value) { return static_cast<double>(value.count()); }
};

template <>
struct Scalar<Bytes> {
  static constexpr auto kKind = Shape::Kind::size;
  static constexpr std::string_view kExpected = "a size";
  static constexpr std::string_view kHint = kBytesHint;
  static std::optional<Bytes> parse(std::string_view text) { return parse_bytes(text); }
  static Value value(Bytes value) { return Value::text(format(value)); }
  static double measure(Bytes value) { return static_cast<double>(value.count); }
};

template <>
struct Scalar<Rate> {
  static constexpr auto kKind = Shape::Kind::rate;
  static constexpr std::string_view kExpected = "a rate";
  static constexpr std::string_view kHint = kRateHint;
  static std::optional<Rate> parse(std::string_view text) { return parse_rate(text); }
  static Value value(Rate value) { return Value::text(format(value)); }
  static double measure(Rate value) { return value.count; }
};

template <>
struct Scalar<Ratio> {
  static constexpr auto kKind = Shape::Kind::ratio;
  static constexpr std::string_view kExpected = "a share";
  static constexpr std::string_view kHint = kRatioHint;
  static std::optional<Ratio> parse(std::string_view text) { return parse_ratio(text); }
  static Value value(Ratio value) { return Value::text(format(value)); }
  static double measure(Ratio value) { return value.value; }
};

template <class T>
concept IsScalar = requires { Scalar<T>::kKind; };

/// A block: whatever has a `decode` function.
template <class T>
struct Type {
  static void read(Reader& r, T& out) {
    if (!r.begin_block()) return;
    decode(r, out);
    r.end_block();
  }
};

template <IsScalar T>
struct Type<T> {
  static void read(Reader& r, T& out) {
    r.describe(Scalar<T>::kKind);
    if (const auto text = r.scalar(Scalar<T>::kExpected, Scalar<T>::kHint)) take(r, *text, out);
    r.write(Scalar<T>::value(out));
  }

 private:
  static void take(Reader& r, const std::string& text, T& out) {
    auto value = Scalar<T>::parse(text);
    if (!value) return r.refuse(text, Scalar<T>::kExpected, Scalar<T>::kHint);
    if constexpr (std::same_as<T, std::string>) {
      if (!r.allows_text(text)) return;
    } else {
      if (!r.allows(Scalar<T>::measure(*value), text)) return;
    }
    out = std::move(*value);
  }
};

template <class E>
  requires std::is_enum_v<E>
struct Type<E> {
  static void read(Reader& r, E& out) {
    const auto table = choices(static_cast<E*>(nullptr));
    std::vector<std::string> words;
    for (const auto& choice : table) words.emplace_back(choice.name);
    r.describe_words(words);
    const auto text = r.scalar("a word", "");
    if (text && r.is_among(*text, words)) {
      for (const auto& choice : table) {
        if (choice.name == *text) out = choice.value;
      }
    }
    for (const auto& choice : table) {
      if (choice.value == out) r.write(Value::text(std::string(choice.name)));
    }
  }
};

template <class T>
struct Type<Located<T>> {
  static void read(Reader& r, Located<T>& out) {
    out.at = r.location();
    Type<T>::read(r, out.value);
  }
};

template <class T>
struct Type<std::optional<T>> {
  static void read(Reader& r, std::optional<T>& out) {
    const bool had_default = out.has_value();
    if (r.says_nothing()) {
      out.reset();
    } else if (r.is_present() || r.is_describing() || had_default) {
      T value = had_default ? std::move(*out) : T{};
      Type<T>::read(r, value);
      const bool is_wrong = r.is_present() && r.failed() && !had_default;
      if ((r.is_present() || had_default) && !is_wrong) out = std::move(value);
    }
    if (!out) r.write_nothing();
  }
};

template <class T>
struct Type<std::vector<T>> {
  static void read(Reader& r, std::vector<T>& out) {
    r.begin_list();
    if (r.is_describing()) describe(r);
    if (const auto size = r.list_size()) {
      out.clear();
      for (size_t i = 0; i < *size; ++i) {
        Reader item = r.item(i);
        Type<T>::read(item, out.emplace_back());
      }
    } else {
      for (T& value : out) {
        Reader item = r.default_item();
        Type<T>::read(item, value);
      }
    }
  }

 private:
  static void describe(Reader& r) {
    Reader item = r.described_item();
    T blank{};
    Type<T>::read(item, blank);
  }
};

/// Blocks whose keys are names. `Add` gives a place for a name, `Each` walks over the defaults.
template <class T>
struct NamedType {
  template <class Add, class Each>
  static void read(Reader& r, Add add, Each each_default) {
    r.begin_named();
    if (r.is_describing()) {
      Reader item = r.described_item();
      T blank{};
      Type<T>::read(item, blank);
    }
    if (const auto size = r.map_size()) {
      for (size_t i = 0; i < *size; ++i) {
        Reader entry = r.entry(i);
        Type<T>::read(entry, add(r.entry_name(i), entry));
      }
    } else {
      each_default([&](const std::string& name, T& value) {
        Reader entry = r.default_entry(name);
        Type<T>::read(entry, value);
      });
    }
  }
};

template <class T>
struct Type<std::vector<Named<T>>> {
  static void read(Reader& r, std::vector<Named<T>>& out) {
    if (r.is_present()) out.clear();
    NamedType<T>::read(
        r,
        [&](std::string name, const Reader& entry) -> T& {
          return out.emplace_back(Named<T>{std::move(name), T{}, entry.name_location()}).value;
        },
        [&](auto visit) {
          for (auto& named : out) visit(named.name, named.value);
        });
  }
};

template <class T>
struct Type<std::vector<std::pair<std::string, T>>> {
  static void read(Reader& r, std::vector<std::pair<std::string, T>>& out) {
    if (r.is_present()) out.clear();
    NamedType<T>::read(
        r, [&](std::string name, const Reader&) -> T& { return out.emplace_back(std::move(name), T{}).second; },
        [&](auto visit) {
          for (auto& [name, value] : out) visit(name, value);
        });
  }
};

template <class T>
struct Type<std::map<std::string, T>> {
  static void read(Reader& r, std::map<std::string, T>& out) {
    if (r.is_present()) out.clear();
    NamedType<T>::read(
        r, [&](const std::string& name, const Reader&) -> T& { return out[name]; },
        [&](auto visit) {
          for (auto& [name, value] : out) visit(name, value);
        });
  }
};

/// The alternatives come from the program's Tables.
template <class X>
struct Type<Tagged<X>> {
  static void read(Reader& r, Tagged<X>& out) { r.read_tagged(out, r.tags<X>()); }
};

template <class X>
void Reader::read_tagged(Tagged<X>& out, const Tags<X>& tags) {
  if (is_describing()) {
    describe(Shape::Kind::tagged);
    for (const auto& tag : tags) {
      Reader body = described_tag(tag.name, tag.about);
      tag.read(body);
    }
  }
  std::vector<std::string> names;
  for (const auto& tag : tags) names.push_back(tag.name);
  const auto chosen = choose(names);
  if (!chosen) return write(out.name.empty() ? Value{} : Value::text(out.name));
  Reader body = tag_body(names[*chosen]);
  out.name = names[*chosen];
  out.at = body.name_location();
  out.value = tags[*chosen].read(body);
  leave_tag();
}

template <class X>
void Reader::tagged(std::string_view key, Tagged<X>& out, const Tags<X>& tags, std::string_view about) {
  Reader child = enter(key, about, Need::optional, {});
  child.read_tagged(out, tags);
  leave(child);
}

template <class X>
void Reader::tagged_list(std::string_view key, std::vector<Tagged<X>>& out, const Tags<X>& tags,
                         std::string_view about) {
  Reader child = enter(key, about, Need::optional, {});
  child.begin_list();
  if (is_describing()) {
    Tagged<X> blank;
    child.described_item().read_tagged(blank, tags);
  }
  if (const auto size = child.list_size()) {
    out.clear();
    for (size_t i = 0; i < *size; ++i) child.item(i).read_tagged(out.emplace_back(), tags);
  }
  leave(child);
}

template <class X>
void Reader::extensions(std::vector<Tagged<X>>& out, const Tags<X>& tags) {
  for (const auto& tag : tags) {
    Reader child = enter(tag.name, tag.about, Need::optional, {});
    if (child.is_present() || is_describing()) {
      X value = tag.read(child);
      if (child.is_present()) out.push_back({tag.name, std::move(value), child.name_location()});
    }
    leave(child);
  }
}

}  // namespace weir::config
