#include "base/list.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace weir {
namespace {

struct Item : ListNode {
  explicit Item(int number) : number(number) {}
  int number;
};

std::vector<int> numbers(List<Item>& list) {
  std::vector<int> found;
  for (auto& item : list) found.push_back(item.number);
  return found;
}

}  // namespace

TEST_CASE("list: keeps the order of both ends") {
  List<Item> list;
  Item one(1), two(2), zero(0);
  list.push_back(one);
  list.push_back(two);
  list.push_front(zero);
  CHECK(numbers(list) == std::vector{0, 1, 2});
  CHECK(list.front().number == 0);
  CHECK(list.back().number == 2);
}

TEST_CASE("list: pop gives the first, and nothing when empty") {
  List<Item> list;
  Item one(1);
  list.push_back(one);
  CHECK(list.pop_front() == &one);
  CHECK_FALSE(one.is_linked());
  CHECK(list.pop_front() == nullptr);
  CHECK(list.is_empty());
}

TEST_CASE("list: an item that is destroyed leaves its list") {
  List<Item> list;
  Item one(1), three(3);
  auto two = std::make_unique<Item>(2);
  list.push_back(one);
  list.push_back(*two);
  list.push_back(three);
  two.reset();
  CHECK(numbers(list) == std::vector{1, 3});
}

TEST_CASE("list: an item that is pushed again moves") {
  List<Item> first;
  List<Item> second;
  Item one(1), two(2);
  first.push_back(one);
  first.push_back(two);
  first.push_back(one);
  CHECK(numbers(first) == std::vector{2, 1});
  second.push_back(two);
  CHECK(numbers(first) == std::vector{1});
}

TEST_CASE("list: splice moves every item to the end, and leaves the other list usable") {
  List<Item> first;
  List<Item> second;
  Item one(1), two(2), three(3);
  first.push_back(one);
  second.push_back(two);
  second.push_back(three);
  first.splice(second);
  CHECK(numbers(first) == std::vector{1, 2, 3});
  CHECK(second.is_empty());
  first.splice(second);
  second.splice(first);
  CHECK(numbers(second) == std::vector{1, 2, 3});
}

}  // namespace weir
