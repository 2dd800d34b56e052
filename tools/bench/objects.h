// The objects of hit_ratio, of which origin.c and trace.c have to know the same.
#pragma once

#include <stddef.h>
#include <stdint.h>

// splitmix64: neighbours become strangers.
static inline uint64_t scramble(uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

// From 1 KiB to less than 64 KiB, each doubling as likely as the others: 15.75 KiB on average.
static inline size_t size_of_object(uint64_t number) {
  const uint64_t chance = scramble(number);
  const size_t least = (size_t)1024 << chance % 6;
  return least + (chance >> 8) % least;
}
