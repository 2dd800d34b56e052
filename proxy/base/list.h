#pragma once

namespace weir {

/// A link of an intrusive, circular, doubly linked list. A destroyed node leaves its list, which is how
/// awaitables, timers and waiters silence themselves.
struct ListNode {
  ListNode* next = this;
  ListNode* previous = this;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool is_linked() const { return next != this; }
  void unlink() {
    next->previous = previous;
    previous->next = next;
    next = previous = this;
  }
  void insert_before(ListNode& position) {
    unlink();
    previous = position.previous;
    next = &position;
    previous->next = this;
    position.previous = this;
  }
};

/// A list of T, each of which is (or derives from) a ListNode. Owns nothing.
template <class T>
class List {
 public:
  bool is_empty() const { return !head_.is_linked(); }
  void push_back(T& item) { static_cast<ListNode&>(item).insert_before(head_); }
  void push_front(T& item) { static_cast<ListNode&>(item).insert_before(*head_.next); }
  T& front() { return static_cast<T&>(*head_.next); }
  const T& front() const { return static_cast<const T&>(*head_.next); }
  T& back() { return static_cast<T&>(*head_.previous); }
  T* pop_front() {
    if (is_empty()) return nullptr;
    T& item = front();
    static_cast<ListNode&>(item).unlink();
    return &item;
  }
  /// The last item for which `is_wanted` holds, or null.
  template <class Predicate>
  T* find_from_back(Predicate is_wanted) {
    for (ListNode* node = head_.previous; node != &head_; node = node->previous) {
      if (is_wanted(static_cast<const T&>(*node))) return static_cast<T*>(node);
    }
    return nullptr;
  }
  /// Moves every item of `other` to the end of this list.
  void splice(List& other) {
    if (other.is_empty()) return;
    ListNode* first = other.head_.next;
    ListNode* last = other.head_.previous;
    other.head_.next = other.head_.previous = &other.head_;
    first->previous = head_.previous;
    head_.previous->next = first;
    last->next = &head_;
    head_.previous = last;
  }

  class Iterator {
   public:
    explicit Iterator(ListNode* node) : node_(node) {}
    T& operator*() const { return static_cast<T&>(*node_); }
    Iterator& operator++() {
      node_ = node_->next;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    ListNode* node_;
  };
  Iterator begin() { return Iterator(head_.next); }
  Iterator end() { return Iterator(&head_); }

 private:
  ListNode head_;
};

}  // namespace weir
